"""A free question, and a description: what kind of picture it is, and what can be read off it.

Geometry says the kind; the strategy of that kind does the reading, and plain sentences are put
together here from what it found. Nothing is said that was not read, counted or located.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

from PIL import Image

from glm_vision.arrow_ends import find_arrows
from glm_vision.class_boxes import find_classes
from glm_vision.lifelines import find_sequence
from glm_vision.regions import saturation
from glm_vision.tasks.conversation import Conversation, Outcome, Task
from glm_vision.tasks.general import silent
from glm_vision.tasks.mermaid import MermaidError, parse_mermaid
from glm_vision.tasks.taught_charts import COLOURED, chart_task, find_marks
from glm_vision.tasks.taught_diagrams import diagram_task, find_boxes
from glm_vision.tasks.taught_reading import error_task
from glm_vision.tasks.taught_scenes import describe_task, things_of
from glm_vision.tasks.taught_screens import find_elements, screen_task
from glm_vision.text_lines import find_text

LIMITS = (
    "This small model says what it reads, counts and finds; it does not reason about it."
    " For that add a larger one: `glm-lsp models add`."
)
MOST_BOXES = 60
_NAMED = {"flowchart": "A flowchart", "sequence": "A sequence diagram", "class": "A class diagram"}
_LABEL = re.compile(r">([^<>]+)<|placeholder=\"([^\"]+)\"|value=\"([^\"]+)\"")


def question_task(conversation: Conversation) -> Task:
    """About the last picture."""
    kind = kind_of(conversation.pictures[-1].image)
    yield ""
    task, told = _KINDS[kind]
    found = yield from silent(task(conversation))
    notes = [*found.notes, LIMITS]
    if len(conversation.pictures) > 1 and kind != "scene":
        notes.append("Only the last picture was looked at.")
    return Outcome(
        text=told(found),
        boxes=found.boxes,
        valid=found.valid,
        notes=tuple(notes),
        details={**found.details, "kind": kind},
    )


def kind_of(image: Image.Image) -> str:
    """text, diagram, chart, form or scene, by what geometry finds in it."""
    found = find_boxes(image)
    boxes = list(found.boxes)
    if len(boxes) > 1 and len(boxes) < MOST_BOXES:
        joined = any(len(one.parts) > 1 for one in find_classes(boxes))
        if joined or find_sequence(found.lines, boxes) or find_arrows(found.lines, boxes):
            return "diagram"
    marks, _ = find_marks(image)
    strokes = found.lines
    axes = bool(strokes.size) and min(strokes.mean(axis=0).max(), strokes.mean(axis=1).max()) > 0.4
    if len(marks) > 1 and axes:
        return "chart"
    colours = saturation(image)
    things = [region for region in things_of(image)[:MOST_BOXES] if region.fill > 0.2]
    large = [one for one in things if min(one.box[2] - one.box[0], one.box[3] - one.box[1]) >= 14]
    coloured = [
        one
        for one in large
        if colours[
            one.runs[len(one.runs) // 2][0],
            one.runs[len(one.runs) // 2][1] : one.runs[len(one.runs) // 2][2],
        ].mean()
        >= COLOURED
    ]
    if things and len(coloured) > 0.8 * len(things):
        return "scene"
    if any(element.kind in ("input", "button", "checkbox") for element in find_elements(image)):
        return "form"
    return "text" if find_text(image) is not None else "scene"


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
    "text": (error_task, _told_text),
    "diagram": (diagram_task, _told_diagram),
    "chart": (chart_task, _told_chart),
    "form": (screen_task, _told_screen),
    "scene": (describe_task, lambda found: found.text),
}
