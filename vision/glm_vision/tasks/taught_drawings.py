"""Diagrams, charts and screens with a taught model: it says where, reading says what.

The model answers with boxes. What is written in or beside a box is cut out of the picture and
read as text; values of a chart follow from the numbers along its axis. The text of the answer is
put together here and then checked by the same parsers as anybody's.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from glm_vision.drawn import words
from glm_vision.drawn.flow_diagram import mermaid_of
from glm_vision.drawn.screen_mockup import html_of
from glm_vision.grounding import parse_boxes
from glm_vision.tasks.answer_check import check_html, check_mermaid, check_table
from glm_vision.tasks.conversation import Conversation, Outcome, Picture, Piece, Task
from glm_vision.tasks.taught_reading import read_block, read_picture
from glm_vision.text_lines import find_text
from glm_vision.vision_model import Turn

ANSWER = 110  # tokens, what the model was trained on
Box = tuple[int, int, int, int]


def diagram_task(conversation: Conversation) -> Task:
    """Nodes, their labels, the arrows between them, as a Mermaid flowchart."""
    picture = conversation.pictures[-1]
    where, which = yield from _ask(conversation, picture, (words.NODES, words.ARROWS))
    boxes = _boxes(where, picture)
    labels = []
    for box in boxes:
        labels.append((yield from _label(conversation, picture, box)))
    pairs = [(int(a) - 1, int(b) - 1) for a, b in re.findall(r"(\d)>(\d)", which)]
    edges = tuple((a, b) for a, b in pairs if max(a, b) < len(boxes) and min(a, b) >= 0 and a != b)
    if not boxes:
        return Outcome(text="", valid=False, notes=("No diagram was found in the picture.",))
    checked = check_mermaid(mermaid_of(labels, edges, _direction(boxes, edges)))
    notes = () if checked.valid else (f"It does not parse: {checked.problem}.",)
    return Outcome(text=checked.text, boxes=tuple(boxes), valid=checked.valid, notes=notes)


def screen_task(conversation: Conversation) -> Task:
    """Elements from top to bottom, as HTML."""
    picture = conversation.pictures[-1]
    (answer,) = yield from _ask(conversation, picture, (words.SCREEN,))
    elements, boxes = [], []
    for kind, body in re.findall(rf"({'|'.join(words.ELEMENTS)}) (\[\[[\d,]+\]\])", answer):
        for box in _boxes(body, picture):
            inner = _past_tick(box) if kind == "checkbox" else box
            margin = 0 if kind in ("heading", "text", "checkbox") else 4
            text = yield from _label(conversation, picture, inner, margin=margin)
            elements.append((kind, text))
            boxes.append(box)
    if not elements:
        return Outcome(text="", valid=False, notes=("No screen was found in the picture.",))
    checked = check_html(html_of(elements))
    return Outcome(text=checked.text, boxes=tuple(boxes), valid=checked.valid)


def chart_task(conversation: Conversation) -> Task:
    """Bars or points with the names under them and values by the axis, as CSV."""
    picture = conversation.pictures[-1]
    answers = yield from _ask(conversation, picture, (words.BARS, words.POINTS))
    bars, points = (_boxes(answer, picture) for answer in answers)
    is_bars = _stand_on_one_line(bars)
    marks = sorted(bars if is_bars else points)
    if not marks:
        return Outcome(text="", valid=False, notes=("No chart was found in the picture.",))
    axis = yield from _axis(conversation, picture, min(box[0] for box in marks))
    names = yield from _names(conversation, picture, marks)
    notes: tuple[str, ...] = ()
    if axis is None:
        notes = ("The numbers of the axis could not be read; values are shares of its height.",)
        axis = _Axis(slope=-1.0 / picture.height, offset=1.0)
    rows = ["name,value"]
    for box, name in zip(marks, names, strict=True):
        y = box[1] if is_bars else (box[1] + box[3]) / 2
        rows.append(f"{_field(name)},{axis.value(y)}")
    checked = check_table("\n".join(rows))
    return Outcome(text=checked.text, boxes=tuple(marks), valid=checked.valid, notes=notes)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Axis:
    """value = offset + slope * y, in source pixels."""

    slope: float
    offset: float

    def value(self, y: float) -> str:
        return f"{self.offset + self.slope * y:.4g}"


def _ask(
    conversation: Conversation, picture: Picture, questions: tuple[str, ...]
) -> Generator[Piece, None, list[str]]:
    rows = [[Turn(role="user", text=question, pictures=(picture.image,))] for question in questions]
    return (yield from conversation.ask_all(rows, max_tokens=ANSWER))


def _boxes(text: str, picture: Picture) -> list[Box]:
    found = parse_boxes(text, picture.width, picture.height)
    return [(box.left, box.top, box.right, box.bottom) for box in found]


def _cut(picture: Picture, box: Box) -> Image.Image:
    """A part of the picture, which may have been scaled down since the source."""
    across, down = picture.image.width / picture.width, picture.image.height / picture.height
    left, top, right, bottom = box
    return picture.image.crop(
        (
            max(0, int(left * across)),
            max(0, int(top * down)),
            min(picture.image.width, max(int(right * across), int(left * across) + 1)),
            min(picture.image.height, max(int(bottom * down), int(top * down) + 1)),
        )
    )


def _label(
    conversation: Conversation, picture: Picture, box: Box, *, margin: int = 5
) -> Generator[Piece, None, str]:
    """What is written in a box, its border left out."""
    left, top, right, bottom = box
    inset = min(margin, (right - left) // 6, (bottom - top) // 6)
    inner = (left + inset, top + inset, right - inset, bottom - inset)
    read = yield from read_picture(conversation, _cut(picture, inner))
    return "" if read is None else " ".join(" ".join(read.lines).split())


def _axis(
    conversation: Conversation, picture: Picture, right: int
) -> Generator[Piece, None, _Axis | None]:
    """From the numbers left of the marks; None with fewer than two of them."""
    image = _cut(picture, (0, 0, right, picture.height))
    block = find_text(image)
    yield ""
    if block is None:
        return None
    read = yield from read_block(conversation, block)
    texts = [line for line in read.lines if line.strip()]
    down = picture.height / picture.image.height
    ticks = []
    for line, text in zip(block.lines, texts, strict=False):
        number = re.search(r"\d+(?:\.\d+)?", text)
        if number is not None:
            ticks.append(((line.baseline - 0.5 * block.ascent) * down, float(number[0])))
    if len({value for _, value in ticks}) < 2:
        return None
    slope, offset = np.polyfit([y for y, _ in ticks], [value for _, value in ticks], 1)
    return _Axis(slope=float(slope), offset=float(offset))


def _names(
    conversation: Conversation, picture: Picture, marks: list[Box]
) -> Generator[Piece, None, list[str]]:
    """The words under the marks: each belongs to the mark that it stands nearest to."""
    floor = max(box[3] for box in marks)
    edge = max(0, 2 * marks[0][0] - marks[0][2])
    image = _cut(picture, (edge, floor + 2, picture.width, picture.height))
    block = find_text(image)
    yield ""
    names = [""] * len(marks)
    if block is not None:
        read = yield from read_block(conversation, block)
        across = picture.width / picture.image.width
        last = max(read.lines, key=len, default="")
        for word in re.finditer(r"\S+", last):
            column = (word.start() + word.end()) / 2
            x = edge + (block.left + column * block.pitch) * across
            distances = [abs((box[0] + box[2]) / 2 - x) for box in marks]
            names[distances.index(min(distances))] += word[0]
    return [name or str(number + 1) for number, name in enumerate(names)]


def _stand_on_one_line(boxes: list[Box]) -> bool:
    """Bars share their foot; points do not."""
    feet = [box[3] for box in boxes]
    tall = [box[3] - box[1] for box in boxes]
    return bool(boxes) and max(feet) - min(feet) <= 0.12 * max(max(tall), 1)


def _direction(boxes: list[Box], edges: tuple[tuple[int, int], ...]) -> str:
    """Down, unless the arrows run mostly sideways."""
    across = down = 0.0
    for a, b in edges:
        across += abs(boxes[a][0] + boxes[a][2] - boxes[b][0] - boxes[b][2])
        down += abs(boxes[a][1] + boxes[a][3] - boxes[b][1] - boxes[b][3])
    return "LR" if across > down else "TD"


def _past_tick(box: Box) -> Box:
    """Without the little square at its left."""
    left, top, right, bottom = box
    return (min(left + round(1.3 * (bottom - top)), right - 1), top - 3, right + 4, bottom + 3)


def _field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\n]', text) else text
