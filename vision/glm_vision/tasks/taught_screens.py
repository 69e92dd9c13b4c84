"""Simple screens with a taught model: geometry finds the elements, the model reads their texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from glm_vision.drawn.screen_mockup import html_of
from glm_vision.regions import (
    Box,
    Mask,
    distance_from_ground,
    enclosed_boxes,
    find_regions,
    grown,
    part,
)
from glm_vision.tasks.answer_check import check_html
from glm_vision.tasks.conversation import Conversation, Outcome, Task
from glm_vision.tasks.taught_reading import in_source, read_labels
from glm_vision.text_lines import find_text

MARK = 40  # of 255: from here on a pixel is drawn
_BUTTON = 0.55  # of its box: filled as far as this, around its letters
_HEADING = 1.22  # times the width of the narrowest letters


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundElement:
    """`inner` is where its text stands."""

    kind: str
    box: Box
    inner: Box


def screen_task(conversation: Conversation) -> Task:
    """Elements from top to bottom, as HTML."""
    picture = conversation.pictures[-1]
    found = find_elements(picture.image)
    yield ""
    if not found:
        return Outcome(text="", valid=False, notes=("No elements were found in the picture.",))
    texts: dict[Box, str] = {}
    for heading in (True, False):  # a heading's letters are larger than all others
        inner = [e.inner for e in found if (e.kind == "heading") == heading]
        cuts = [picture.image.crop(box) for box in inner]
        texts |= dict(zip(inner, (yield from read_labels(conversation, cuts)), strict=True))
    elements = [(element.kind, texts[element.inner]) for element in found]
    checked = check_html(html_of(elements))
    boxes = tuple(in_source(element.box, picture) for element in found)
    return Outcome(text=checked.text, boxes=boxes, valid=checked.valid)


def find_elements(image: Image.Image) -> list[FoundElement]:
    """Fields and boxes to tick are outlines, buttons are filled; the rest is text, by lines."""
    drawn = distance_from_ground(image) > MARK
    found: list[FoundElement] = []
    ticks: list[Box] = []
    for box in enclosed_boxes(drawn):
        wide, tall = box[2] - box[0], box[3] - box[1]
        if 0.75 < wide / tall < 1.33:
            ticks.append(grown(box, 1))
        elif wide > 1.5 * tall:
            found.append(FoundElement(kind="input", box=grown(box, 1), inner=grown(box, -2)))
    for region in find_regions(drawn, least=80):
        wide, tall = region.box[2] - region.box[0], region.box[3] - region.box[1]
        if region.fill >= _BUTTON and wide > 1.1 * tall and tall >= 20:
            inner = (region.box[0] + 5, region.box[1] + 3, region.box[2] - 5, region.box[3] - 3)
            found.append(FoundElement(kind="button", box=region.box, inner=inner))
    rest = drawn.copy()
    for box in [*(element.box for element in found), *ticks]:
        left, top, right, bottom = grown(box, 2)
        rest[max(0, top) : bottom, max(0, left) : right] = False
    lines = _text_lines(rest)
    found += _ticked(ticks, lines)
    taken = {element.inner for element in found}
    texts = [box for box in lines if grown(box, 2) not in taken]
    pitches = [_pitch(image, element.inner) for element in found]
    widths = [_pitch(image, grown(box, 2)) for box in texts]
    narrowest = min((pitch for pitch in [*pitches, *widths] if pitch > 0), default=0.0)
    for box, pitch in zip(texts, widths, strict=True):
        kind = "heading" if pitch >= _HEADING * narrowest else "text"
        found.append(FoundElement(kind=kind, box=box, inner=grown(box, 2)))
    return sorted(found, key=lambda element: element.box[1])


def _pitch(image: Image.Image, box: Box) -> float:
    """The width of a letter, 0 where none is found."""
    if box[2] - box[0] < 6 or box[3] - box[1] < 6:
        return 0.0
    block = find_text(image.crop(box))
    return 0.0 if block is None else block.pitch


def _ticked(ticks: list[Box], lines: list[Box]) -> list[FoundElement]:
    found = []
    for tick in ticks:
        middle = (tick[1] + tick[3]) / 2
        beside = [box for box in lines if box[1] <= middle <= box[3] and box[0] >= tick[2]]
        label = beside[0] if beside else tick
        box = (tick[0], min(tick[1], label[1]), label[2], max(tick[3], label[3]))
        found.append(FoundElement(kind="checkbox", box=box, inner=grown(label, 2)))
    return found


def _text_lines(mask: Mask) -> list[Box]:
    """Boxes of rows of ink, dots of letters joined to their line."""
    rows = mask.any(axis=1)
    edges = np.flatnonzero(np.diff(np.r_[False, rows, False].astype(np.int8)))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    joined: list[tuple[int, int]] = []
    for top, bottom in runs:
        if joined and top - joined[-1][1] <= 3:
            joined[-1] = (joined[-1][0], bottom)
        else:
            joined.append((top, bottom))
    boxes = []
    for top, bottom in joined:
        columns = np.flatnonzero(part(mask, (0, top, mask.shape[1], bottom)).any(axis=0))
        if bottom - top >= 5 and columns.size:
            boxes.append((int(columns[0]), top, int(columns[-1]) + 1, bottom))
    return boxes
