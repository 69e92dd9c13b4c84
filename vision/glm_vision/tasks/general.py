"""The tasks for a model that understands English: a prompt, a check, one repair.

What stands in a picture is the picture author's word, not the user's: a repair quotes the model's
own answer and our parser, never text that was read.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from glm_vision.grounding import ask_where, parse_boxes
from glm_vision.tasks.answer_check import CHECKS
from glm_vision.tasks.conversation import Conversation, Outcome, Piece, Task
from glm_vision.tasks.places import places_in
from glm_vision.vision_model import Turn

TASKS = ("ask", "read", "error", "ui", "diagram", "chart", "find", "describe")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """How a task is put, and the check that its answer must pass ("" for none)."""

    prompt: str
    check: str = ""


WORDINGS = {
    "read": Wording(
        prompt="Read all text in the picture. Write it exactly as it stands, line by line, and"
        " nothing else."
    ),
    "error": Wording(
        prompt="What error does this picture show? Say what went wrong, in which file and on"
        " which line, and what to do about it."
    ),
    "ui": Wording(
        prompt="Write one HTML page that reproduces this screen, styles included. Answer with"
        " the code alone.",
        check="html",
    ),
    "diagram": Wording(
        prompt="Write this diagram as Mermaid. Answer with the Mermaid code alone.",
        check="mermaid",
    ),
    "plantuml": Wording(
        prompt="Write this diagram as PlantUML, from @startuml to @enduml. Answer with the code"
        " alone.",
        check="plantuml",
    ),
    "chart": Wording(
        prompt="Write the data of this chart or table as CSV with a header line. Answer with"
        " the CSV alone.",
        check="table",
    ),
    "json": Wording(
        prompt="Write the data of this chart or table as JSON. Answer with the JSON alone.",
        check="table",
    ),
    "describe": Wording(prompt="Describe this picture."),
}


def general_task(task: str, conversation: Conversation, form: str = "") -> Task:
    """`form` names another form of the answer: "plantuml" for a diagram, "json" for a chart."""
    if task == "find":
        return (yield from _find(conversation))
    if task == "ask":
        text = yield from conversation.ask(conversation.turns, live=True)
        return Outcome(text=text.strip(), boxes=_boxes(conversation, text))
    wording = WORDINGS[form or task]
    turns = _worded(conversation, wording.prompt)
    if not wording.check:
        text = yield from conversation.ask(turns, live=True)
        details = {"places": places_in(text)} if task == "error" else {}
        return Outcome(text=text.strip(), boxes=_boxes(conversation, text), details=details)
    return (yield from _checked(conversation, turns, wording.check))


def _checked(conversation: Conversation, turns: tuple[Turn, ...], check: str) -> Task:
    """The bare answer; asked once more where it does not parse."""
    first = yield from conversation.ask(turns, live=False)
    checked = CHECKS[check](first)
    notes: tuple[str, ...] = ()
    if not checked.valid:
        repair = Turn(
            role="user",
            text=f"That does not parse: {checked.problem}. Write it again, corrected, and"
            " nothing else.",
        )
        answer = Turn(role="assistant", text=first)
        second = yield from conversation.ask((*turns, answer, repair), live=False)
        again = CHECKS[check](second)
        if again.valid:
            checked, notes = again, ("The first answer did not parse; this is the second.",)
        else:
            notes = (f"It does not parse: {checked.problem}.",)
    return Outcome(text=checked.text, valid=checked.valid, notes=notes)


def _find(conversation: Conversation) -> Task:
    question = conversation.question.rstrip("?. ")
    asked = ask_where(question) if question else "Where is the main element? [[x0,y0,x1,y1]]"
    text = yield from conversation.ask(_worded(conversation, asked, bare=True), live=True)
    boxes = _boxes(conversation, text, loose=True)
    return Outcome(text=text.strip(), boxes=boxes, valid=bool(boxes))


def _boxes(
    conversation: Conversation, text: str, *, loose: bool = False
) -> tuple[tuple[int, int, int, int], ...]:
    """Of the last picture, in source pixels."""
    if not conversation.pictures:
        return ()
    picture = conversation.pictures[-1]
    found = parse_boxes(text, picture.width, picture.height, loose=loose)
    return tuple((box.left, box.top, box.right, box.bottom) for box in found)


def _worded(conversation: Conversation, prompt: str, *, bare: bool = False) -> tuple[Turn, ...]:
    """The request's turns with the task's words in the last one, before the user's own."""
    last = conversation.turns[-1]
    own = "" if bare or not conversation.question else f"\n{conversation.question}"
    turn = Turn(role=last.role, text=prompt + own, pictures=last.pictures)
    return (*conversation.turns[:-1], turn)


def silent(task: Generator[Piece, None, Outcome]) -> Task:
    """A task inside another: its pieces are kept back."""
    try:
        while True:
            next(task)
            yield ""
    except StopIteration as ended:
        outcome: Outcome = ended.value
        return outcome
