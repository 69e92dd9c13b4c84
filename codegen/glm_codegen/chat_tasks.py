"""What is said to a chat model for each task of the editor: the system's words and the user's.

A request names its task in `options["task"]`; its last turn is the material (code, a diff, a
question). Further options: `language` (LSP languageId), `path`, `diagnostic` (a message of a
compiler), `instruction` (the user's own wish). Without a task the turns go as they are. CodeGeeX4
gets the system words that its guides give; the others a neutral form of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from glm_codegen.prompt_formats.language_names import language_name
from glm_protocol.chat import ChatMessage, ChatRequest, Role
from glm_protocol.errors import BadRequest

CODEGEEX4_SYSTEM = (
    "You are an intelligent programming assistant named CodeGeeX. You will answer any questions"
    " users have about programming, coding, and computers, and provide code that is formatted"
    " correctly, executable, accurate, and secure, and offer detailed explanations when necessary."
)
SYSTEM = (
    "You are a programming assistant inside an editor. Your answers are correct and short, and"
    " your code runs as it is."
)
MAX_FENCE = 12
# CodeGeeX4's words for a change of a repository; the answer has the form of the question.
REPOSITORY = (
    " Based on the code in the project repository provided by the user and the user's requirements,"
    " generate new code or modify existing code. The output format is:\n###PATH: {PATH}\n {CODE}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """`duty` is added to the system's words; `wish` stands behind the material.

    fenced: the material is code and is put between fences; answers_code: so is the answer, and
    only its code is wanted. ending: stands behind the system's words instead of the duty.
    """

    duty: str
    wish: str
    fenced: bool = True
    answers_code: bool = False
    ending: str = ""


TASKS: Mapping[str, Task] = {
    "ask": Task(duty="answer questions on the code that is shown", wish="", fenced=False),
    "change": Task(duty="change files of a repository", wish="", fenced=False, ending=REPOSITORY),
    "explain": Task(
        duty="explain the code that is shown, step by step and in plain words",
        wish="Explain the above code snippet.",
    ),
    "document": Task(
        duty="write documentation comments for the code that is shown",
        wish="Repeat the above code with a documentation comment in the style of its language,"
        " and change nothing else. Answer with one code block.",
        answers_code=True,
    ),
    "comment": Task(
        duty="add comments to the code that is shown",
        wish="Repeat the above code with short comments on what is not obvious, and change"
        " nothing else. Answer with one code block.",
        answers_code=True,
    ),
    "tests": Task(
        duty="write unit tests for the code that is shown",
        wish="Write unit tests for the above code. Answer with one code block.",
        answers_code=True,
    ),
    "review": Task(
        duty="review changes, shown as a diff: point out faults, risks and what can be simpler",
        wish="Review the above change. Name the line for each remark.",
    ),
    "fix": Task(
        duty="correct faults in the code that is shown",
        wish="Correct the above code. Answer with the whole corrected code in one code block.",
        answers_code=True,
    ),
}


def turns_of(request: ChatRequest, *, codegeex4: bool) -> tuple[ChatMessage, ...]:
    """The turns that the model gets. Raises BadRequest for a task that there is not."""
    options = request.options
    name = options.get("task")
    if name is None:
        return request.messages
    task = TASKS.get(name)
    if task is None:
        raise BadRequest(f"There is no task {name[:40]!r}; there are: {', '.join(TASKS)}.")
    *earlier, last = request.messages
    if last.role is not Role.USER:
        raise BadRequest("The last turn of a task is the user's.")
    system = CODEGEEX4_SYSTEM if codegeex4 else SYSTEM
    system += task.ending or f" Task: {task.duty}."
    if earlier and earlier[0].role is Role.SYSTEM:
        system, earlier = f"{system}\n{earlier[0].text}", earlier[1:]
    return (
        ChatMessage(role=Role.SYSTEM, text=system),
        *earlier,
        replace(last, text=_user_text(task, last.text, options)),
    )


def _user_text(task: Task, material: str, options: Mapping[str, str]) -> str:
    if not task.fenced:
        return material
    language = "diff" if options.get("task") == "review" else options.get("language", "")
    parts = []
    if options.get("path"):
        parts.append(f"File: {' '.join(options['path'].split())}")
    if language_name(language):
        parts.append(f"Language: {language_name(language)}")
    parts.append(fenced(material, language))
    if options.get("diagnostic"):
        parts.append(f"The tools say: {options['diagnostic']}")
    parts.append(options.get("instruction") or task.wish)
    return "\n".join(parts)


def fenced(code: str, language: str) -> str:
    """Code between fences longer than any run of backticks in it."""
    fence = "```"
    while fence in code and len(fence) < MAX_FENCE:
        fence += "`"
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"
