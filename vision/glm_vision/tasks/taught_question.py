"""A free question, and a description: what kind of picture it is, and what can be read off it.

The language part of the model says the kind (`words.KIND`); the strategy of that kind does the
reading, and plain sentences are put together here from what it found. Nothing is said that was not
read, counted or located.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Generator

from glm_vision.drawn import words
from glm_vision.tasks.conversation import Conversation, Outcome, Picture, Piece, Task
from glm_vision.tasks.general import silent
from glm_vision.tasks.mermaid import MermaidError, parse_mermaid
from glm_vision.tasks.taught_charts import chart_task
from glm_vision.tasks.taught_diagrams import diagram_task
from glm_vision.tasks.taught_reading import error_task
from glm_vision.tasks.taught_scenes import describe_task
from glm_vision.tasks.taught_screens import screen_task
from glm_vision.vision_model import Turn

LIMITS = (
    "This small model says what it reads, counts and finds; it does not reason about it."
    " For that add a larger one: `glm-lsp models add`."
)
_NAMED = {"flowchart": "A flowchart", "sequence": "A sequence diagram", "class": "A class diagram"}
_LABEL = re.compile(r">([^<>]+)<|placeholder=\"([^\"]+)\"|value=\"([^\"]+)\"")


def question_task(conversation: Conversation) -> Task:
    """About the last picture."""
    kind = yield from kind_of(conversation, conversation.pictures[-1])
    task, told = _KINDS.get(kind, _KINDS["shapes"])
    found = yield from silent(task(conversation))
    notes = [*found.notes, LIMITS]
    if len(conversation.pictures) > 1 and kind != "shapes":
        notes.append("Only the last picture was looked at.")
    return Outcome(
        text=told(found),
        boxes=found.boxes,
        valid=found.valid,
        notes=tuple(notes),
        details={**found.details, "kind": kind},
    )


def kind_of(conversation: Conversation, picture: Picture) -> Generator[Piece, None, str]:
    """One of `words.KINDS`, by the model's own word; "" where it says something else."""
    turn = Turn(role="user", text=words.KIND, pictures=(picture.image,))
    answers = yield from conversation.ask_all([[turn]], max_tokens=8)
    said = answers[0].strip()
    return said if said in words.KINDS else ""


def _told_text(found: Outcome) -> str:
    lines = found.text.splitlines()
    if not lines:
        return "It looks like text, but none could be read."
    head = f"Text, {_counted(len(lines), 'line')}."
    places = found.details.get("places") or []
    if places:
        named = ", ".join(f"{place['file']} line {place['line']}" for place in places[:3])
        head += f" It names {named}."
    return f"{head}\n\n{found.text}"


def _told_diagram(found: Outcome) -> str:
    try:
        diagram = parse_mermaid(found.text)
    except MermaidError:
        return "It looks like a diagram, but its parts could not be made out."
    joined = [
        f"{diagram.nodes.get(a, a)} to {diagram.nodes.get(b, b)}" + (f" ({label})" if label else "")
        for a, b, label in diagram.edges
    ]
    head = f"{_NAMED[diagram.kind]} of {', '.join(diagram.nodes.values())}."
    arrows = f" {_counted(len(joined), 'arrow')}: {'; '.join(joined)}." if joined else ""
    return f"{head}{arrows}\n\n```mermaid\n{found.text}\n```"


def _told_chart(found: Outcome) -> str:
    rows = list(csv.reader(io.StringIO(found.text)))[1:]
    if not rows:
        return "It looks like a chart, but no values could be read."
    values = ", ".join(f"{name} {value}" for name, value in rows)
    largest = max(rows, key=lambda row: float(row[1]))
    return f"A chart of {_counted(len(rows), 'value')}: {values}. The largest is {largest[0]}."


def _told_screen(found: Outcome) -> str:
    labels = [next(filter(None, match), "") for match in _LABEL.findall(found.text)]
    shown = ", ".join(f'"{label.strip()}"' for label in labels if label.strip())
    return f"A screen with {shown}." if shown else "A screen; its texts could not be read."


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


Told = tuple[Callable[[Conversation], Task], Callable[[Outcome], str]]
_KINDS: dict[str, Told] = {
    "code": (error_task, _told_text),
    "diagram": (diagram_task, _told_diagram),
    "chart": (chart_task, _told_chart),
    "screen": (screen_task, _told_screen),
    "shapes": (describe_task, lambda found: found.text),
}
