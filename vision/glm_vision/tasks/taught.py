"""The tasks for a model that was taught a fixed set of questions: which of them to ask.

Free words are matched to those questions; what matches none is described, and a note says so.
Reading has its own file. For diagrams, charts and screens the model says *where* things are, and
what is written there is read as text; the answer is put together here and checked like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator

from glm_vision.drawn import words
from glm_vision.grounding import parse_boxes
from glm_vision.tasks.conversation import Conversation, Outcome, Picture, Piece, Task
from glm_vision.tasks.taught_drawings import chart_task, diagram_task, screen_task
from glm_vision.tasks.taught_reading import error_task, read_task
from glm_vision.vision_model import Turn

SHORT = 96  # tokens of an answer about a scene
_KNOWN = (
    "This model knows a few questions only: read, error, diagram, chart, ui, how many, where is,"
    " describe."
)


def taught_task(task: str, conversation: Conversation) -> Task:
    """The strategy of a task; "ask" goes by the question's words."""
    if not conversation.pictures:
        return _blind_chat(conversation)
    chosen = _by_words(conversation.question) if task == "ask" else task
    return _TASKS[chosen](conversation)


def _by_words(question: str) -> str:
    lowered = question.lower()
    for task, pattern in (
        ("count", r"\bhow many\b|\bcount\b"),
        ("find", r"\bwhere\b|\blocate\b|\bfind\b|\bbox\b"),
        ("error", r"\berror\b|\btraceback\b|\bexception\b|\bwrong\b|\bfail"),
        ("diagram", r"\bdiagram\b|\bmermaid\b|\bflow ?chart\b"),
        ("chart", r"\bchart\b|\bplot\b|\bcsv\b|\bbars?\b"),
        ("ui", r"\bhtml\b|\bui\b|\bscreen\b|\bmock"),
        ("read", r"\bread\b|\btext\b|\bwritten\b|\bsays?\b|\bcode\b|\bocr\b|\btranscri"),
    ):
        if re.search(pattern, lowered):
            return task
    return "describe"


def _ask(
    conversation: Conversation, picture: Picture, question: str
) -> Generator[Piece, None, str]:
    rows = [[Turn(role="user", text=question, pictures=(picture.image,))]]
    answers = yield from conversation.ask_all(rows, max_tokens=SHORT)
    return answers[0].strip()


def _describe(conversation: Conversation) -> Task:
    texts = []
    for picture in conversation.pictures:
        texts.append((yield from _ask(conversation, picture, words.DESCRIBE)))
    asked = conversation.question
    known = not asked or re.search(r"describe|what|drawn|see|picture|image", asked.lower())
    return Outcome(text="\n".join(texts), notes=() if known else (_KNOWN,))


def _count(conversation: Conversation) -> Task:
    things = things_in(conversation.question)
    picture = conversation.pictures[-1]
    if len(things) >= 2:
        question = words.COUNT_SUM.format(things=plural(things[0]), others=plural(things[1]))
    else:
        question = words.COUNT.format(things=plural(things[0]) if things else "shapes")
    text = yield from _ask(conversation, picture, question)
    return Outcome(text=text, valid=text.isdecimal())


def _find(conversation: Conversation) -> Task:
    things = things_in(conversation.question)
    picture = conversation.pictures[-1]
    if not things:
        return Outcome(text="", valid=False, notes=(_KNOWN,))
    text = yield from _ask(conversation, picture, words.WHERE.format(thing=things[0]))
    boxes = tuple(
        (box.left, box.top, box.right, box.bottom)
        for box in parse_boxes(text, picture.width, picture.height)
    )
    return Outcome(text=text, boxes=boxes, valid=bool(boxes))


def _blind_chat(conversation: Conversation) -> Task:
    del conversation
    yield ""
    return Outcome(
        text="",
        valid=False,
        notes=("This model answers questions about pictures; there is none.",),
    )


def things_in(question: str) -> list[str]:
    """The things of a scene that a question names, as "red circle", in order, singular."""
    colours, shapes = "|".join(words.COLOURS), "|".join((*words.SHAPES, "shape"))
    found = re.findall(rf"\b(?:({colours}) )?({shapes})(?:e?s)?\b", question.lower())
    return [f"{colour} {shape}".strip() for colour, shape in found]


def plural(thing: str) -> str:
    """As the questions spell it."""
    return thing + ("es" if thing.endswith("ss") else "s")


_TASKS: dict[str, Callable[[Conversation], Task]] = {
    "read": read_task,
    "error": error_task,
    "ui": screen_task,
    "diagram": diagram_task,
    "chart": chart_task,
    "find": _find,
    "describe": _describe,
    "count": _count,
}
