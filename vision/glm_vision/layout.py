"""Which parts of a screenshot are lines of text, and which lines belong together. No model.

    picture -> ink by local ground (`grounds`) -> pieces by blank rows and columns, in turn
            -> lines of neighbouring pieces -> blocks of lines of one height -> reading order

Side bars, columns and tables stand beside each other in a screen, so blank rows alone do not
part lines. A block keeps its lines' places, so that each can be read at its own scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from glm_vision.grounds import Ink, local_ink, without_long_runs
from glm_vision.regions import Box
from glm_vision.text_lines import row_bands

MARK = 0.3  # ink from which a pixel counts as part of a letter
LOWEST, HIGHEST = 5, 90  # pixels of a line of text
MOST_PIECES = 1500
_PART = 1.1  # heights of a line: a gap so wide parts pieces
_WIDEST_PART = 34  # pixels: so does any gap of this width
_ONE_LINE = 1.6  # heights: pieces nearer than this may stand in one line
_DEEPEST = 24
_SAME_HEIGHT, _LOW = 0.72, (0.5, 0.62)  # of rows in one block

Marked = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextRow:
    """A line of text; `parts` are its pieces from left to right, all boxes in the picture."""

    box: Box
    parts: tuple[Box, ...]

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Lines of one height, one under the other."""

    box: Box
    rows: tuple[TextRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """`blocks` in reading order; `ink` is what they are read from, 0 to 1."""

    ink: Ink
    blocks: tuple[Block, ...]


def lay_out(picture: Image.Image) -> Layout:
    """Never more than `MOST_PIECES` pieces: what holds more is no screen of text."""
    ink = without_long_runs(local_ink(picture), MARK)
    pieces = _pieces(ink > MARK)
    rows = _rows(pieces)
    blocks = [Block(box=_around([row.box for row in rows]), rows=rows) for rows in _stacked(rows)]
    return Layout(ink=ink, blocks=tuple(reading_order(blocks)))


def reading_order(blocks: Sequence[Block]) -> list[Block]:
    """Cut at the widest gap, again and again; above before below, left before right."""
    if len(blocks) < 2:
        return list(blocks)
    best = (-1e9, 0, 0.0)
    for axis in (0, 1):
        spans = sorted((block.box[axis], block.box[axis + 2]) for block in blocks)
        end = spans[0][1]
        for start, stop in spans[1:]:
            if start >= end:
                best = max(best, (float(start - end), axis, (start + end) / 2))
            end = max(end, stop)
    gap, axis, cut = best
    if gap < 0:
        return sorted(blocks, key=lambda block: (block.box[1], block.box[0]))
    before = [block for block in blocks if block.box[axis + 2] <= cut]
    after = [block for block in blocks if block.box[axis + 2] > cut]
    return reading_order(before) + reading_order(after)


def _pieces(marked: Marked) -> list[Box]:
    """Words and runs of words."""
    found: list[Box] = []
    todo = [(0, 0, marked.shape[1], marked.shape[0], 0)]
    while todo and len(found) < MOST_PIECES:
        left, top, right, bottom, depth = todo.pop()
        inside = marked[top:bottom, left:right]
        bands = [(top + a, top + b) for a, b in row_bands(inside)]
        parts = []
        for upper, lower in bands:
            columns = np.logical_or.reduce(marked[upper:lower, left:right], axis=0)
            gap = min(max(_PART * (lower - upper), LOWEST), _WIDEST_PART)
            parts += [(left + a, upper, left + b, lower) for a, b in _runs(columns, int(gap))]
        if len(parts) == 1 or depth >= _DEEPEST:
            found += [part for part in parts if _like_text(marked, part)]
        else:
            todo += [(*part, depth + 1) for part in parts]
    heights = [box[3] - box[1] for box in found if box[2] - box[0] > box[3] - box[1]]
    usual = float(np.median(heights)) if heights else 0.0
    return [part for box in found for part in _untouched(marked, box, usual)]


def _untouched(marked: Marked, box: Box, usual: float) -> list[Box]:
    """Two lines that touch, cut where there is hardly any ink between them."""
    left, top, right, bottom = box
    high = bottom - top
    if not 1.6 * usual < high < 3.2 * usual or right - left < 2 * high:
        return [box]
    weight = marked[top:bottom, left:right].sum(axis=1)
    low, end = int(0.35 * high), int(0.65 * high) + 1
    cut = low + int(np.argmin(weight[low:end]))
    if weight[cut] > 0.3 * np.median(weight):
        return [box]
    return [(left, top, right, top + cut), (left, top + cut, right, bottom)]


def _like_text(marked: Marked, box: Box) -> bool:
    left, top, right, bottom = box
    high, wide = bottom - top, right - left
    if high > HIGHEST or high < 2 or (wide < 3 and high < LOWEST):
        return False
    share = float(marked[top:bottom, left:right].mean())
    return share < 0.85 or high < 0.4 * wide or wide * high < 120


def _runs(columns: np.ndarray[Any, np.dtype[np.bool_]], gap: int) -> list[tuple[int, int]]:
    """(start, end) of ink with no gap of so many columns in it."""
    places = np.flatnonzero(columns)
    if not places.size:
        return []
    cuts = np.flatnonzero(np.diff(places) > gap)
    starts, ends = np.r_[places[0], places[cuts + 1]], np.r_[places[cuts], places[-1]] + 1
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _rows(pieces: list[Box]) -> list[TextRow]:
    """Pieces beside each other joined; high ones first, so that dashes find their line."""
    rows: list[list[Box]] = []
    for piece in sorted(pieces, key=lambda box: (-(box[3] - box[1]), box[1], box[0])):
        near = [row for row in rows if _beside(_around(row), piece)]
        joined = [box for row in near for box in row]
        rows = [row for row in rows if row not in near]
        rows.append([*joined, piece])
    made = [TextRow(box=_around(row), parts=tuple(sorted(row))) for row in rows]
    return sorted(
        (row for row in made if row.height >= LOWEST), key=lambda row: (row.box[1], row.box[0])
    )


def _beside(row: Box, piece: Box) -> bool:
    """In one line: as high, or within it, and not far to the side."""
    shared = min(row[3], piece[3]) - max(row[1], piece[1])
    high, low = row[3] - row[1], piece[3] - piece[1]
    if shared < 0.6 * min(high, low) or low > 1.6 * high or high > 3 * max(low, 4) + 12:
        return False
    return max(piece[0] - row[2], row[0] - piece[2]) <= _ONE_LINE * max(high, low)


def _stacked(rows: list[TextRow]) -> list[tuple[TextRow, ...]]:
    """Rows of one height under each other, no further apart than a blank line or two."""
    stacks: list[list[TextRow]] = []
    for row in rows:
        under = [stack for stack in stacks if _under(stack, row)]
        if under:
            max(under, key=lambda stack: stack[-1].box[3]).append(row)
        else:
            stacks.append([row])
    return [tuple(stack) for stack in stacks]


def _under(stack: list[TextRow], row: TextRow) -> bool:
    """Next below them, and of their height; a row without tall letters is about half as high."""
    above = stack[-1]
    high = max(one.height for one in stack)
    shared = min(above.box[2], row.box[2]) - max(above.box[0], row.box[0])
    share = min(high, row.height) / max(high, row.height)
    return (
        0 <= row.box[1] - above.box[3] + 0.3 * high <= 2.2 * high
        and (shared > 0 or abs(above.box[0] - row.box[0]) < 6 * high)
        and (share > _SAME_HEIGHT or _LOW[0] < share < _LOW[1])
    )


def _around(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return (min(lefts), min(tops), max(rights), max(bottoms))
