"""Charts with a taught model: geometry says where, the model reads what is written.

Bars and points are found by `regions`; names and the numbers of an axis are cut out and read. The
answer is put together here and checked by the same parser as anybody's.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageFilter

from glm_vision.regions import (
    Box,
    Mask,
    distance_from_ground,
    find_regions,
    grown,
    saturation,
)
from glm_vision.tasks.answer_check import check_table
from glm_vision.tasks.conversation import Conversation, Outcome, Piece, Task
from glm_vision.tasks.taught_reading import in_source, read_block, read_labels
from glm_vision.text_lines import find_text

LINE = 60  # of 255: from here on a pixel is a stroke and not the filling of a box
COLOURED = 60  # of 255: from here on a pixel belongs to a bar or a curve
_CURVE = 5  # pixels: thinner strokes are the curve, thicker blobs its points


def chart_task(conversation: Conversation) -> Task:
    """Bars or points with the names under them and values by the axis, as CSV."""
    picture = conversation.pictures[-1]
    image = picture.image
    marks, bars = find_marks(image)
    yield ""
    if not marks:
        return Outcome(text="", valid=False, notes=("No chart was found in the picture.",))
    strokes = distance_from_ground(image) > LINE
    axis = yield from _axis(conversation, image, strokes, min(box[0] for box in marks))
    names = yield from _names(conversation, image, strokes, marks)
    notes: tuple[str, ...] = ()
    if axis is None:
        notes = ("The numbers of the axis could not be read; values are shares of its height.",)
        axis = _Axis(slope=-1.0 / image.height, offset=1.0)
    rows = ["name,value"]
    for box, name in zip(marks, names, strict=True):
        y = box[1] if bars else (box[1] + box[3]) / 2
        rows.append(f"{_field(name)},{axis.value(y)}")
    checked = check_table("\n".join(rows))
    boxes = tuple(in_source(box, picture) for box in marks)
    return Outcome(text=checked.text, boxes=boxes, valid=checked.valid, notes=notes)


def find_marks(image: Image.Image) -> tuple[list[Box], bool]:
    """Boxes of bars (then True) or of a curve's points, from left to right."""
    coloured = saturation(image) >= COLOURED
    least = max(6, image.width * image.height // 20_000)
    regions = find_regions(coloured, least=least)
    bars = [region.box for region in regions if region.fill > 0.9]
    if bars and _stand_on_one_line(bars) and len(bars) >= len(regions) / 2:
        return sorted(bars), True
    thick = Image.fromarray(coloured).convert("L").filter(ImageFilter.MinFilter(_CURVE))
    points = [region.box for region in find_regions(np.asarray(thick) > 0)]
    half = _CURVE // 2
    return sorted(grown(box, half) for box in points), False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Axis:
    """value = offset + slope * y, in pixels."""

    slope: float
    offset: float

    def value(self, y: float) -> str:
        return f"{self.offset + self.slope * y:.4g}"


def _axis(
    conversation: Conversation, image: Image.Image, strokes: Mask, right: int
) -> Generator[Piece, None, _Axis | None]:
    """From the numbers left of the upright axis; None with fewer than two of them."""
    upright = strokes[:, :right].sum(axis=0)
    tallest = int(upright.argmax()) if upright.size else 0
    if upright.size and upright[tallest] > 0.5 * strokes.any(axis=1).sum():
        right = max(1, tallest - 5)  # past the little strokes at the numbers
    block = find_text(image.crop((0, 0, right, image.height)))
    yield ""
    if block is None:
        return None
    read = yield from read_block(conversation, block)
    texts = [line for line in read.lines if line.strip()]
    ticks = []
    for line, text in zip(block.lines, texts, strict=False):
        digits = re.search(r"\d+(?:\.\d+)?", text.translate(_LOOKS))
        if digits is not None:
            ticks.append((line.baseline - 0.5 * block.ascent, float(digits[0])))
    if len({value for _, value in ticks}) < 2:
        return None
    slope, offset = np.polyfit([y for y, _ in ticks], [value for _, value in ticks], 1)
    return _Axis(slope=float(slope), offset=float(offset))


_LOOKS = str.maketrans("OolISBZ", "0011582")  # only numbers stand at an axis


def _names(
    conversation: Conversation, image: Image.Image, strokes: Mask, marks: list[Box]
) -> Generator[Piece, None, list[str]]:
    """The word under each mark."""
    middle = min((box[1] + box[3]) // 2 for box in marks)
    wide = strokes[middle:].mean(axis=1) > 0.5
    floor = middle + int(np.flatnonzero(wide)[-1]) if wide.any() else max(b[3] for b in marks)
    numbers = [str(number + 1) for number in range(len(marks))]
    if floor + 3 >= image.height:
        return numbers
    middles = [(box[0] + box[2]) // 2 for box in marks]
    gaps = [after - before for before, after in pairwise(middles)]
    half = min(gaps, default=2 * (marks[0][2] - marks[0][0])) // 2
    cuts = [image.crop((max(0, x - half), floor + 2, x + half, image.height)) for x in middles]
    names = yield from read_labels(conversation, cuts)
    return [name or number for name, number in zip(names, numbers, strict=True)]


def _stand_on_one_line(boxes: list[Box]) -> bool:
    """Bars share their foot; points do not."""
    feet = [box[3] for box in boxes]
    return max(feet) - min(feet) <= 3


def _field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\n]', text) else text
