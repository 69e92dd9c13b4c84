"""Participants, lifelines and arrows of a sequence diagram. Geometry, no model.

Participants are boxes in one row, each with a line down from its middle; messages are level
strokes from one such line to another, with more ink where their heads are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from glm_vision.regions import Box, Mask

_ALIVE = 0.4  # of a lifeline's length is ink, or more: dashes have a half
_STROKE = 0.45  # of the way between two lifelines: text rarely has as much in one row of pixels
_SOLID = 0.85
_ASIDE = 4  # pixels left and right of a lifeline that are not looked at
_TEXT_GAP = 3  # pixels between a text and the stroke under it
_HEAD = 5  # pixels by which an arrow head hangs under its stroke


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundMessage:
    """`label` is where its text stands, over the stroke."""

    sender: int
    receiver: int
    solid: bool
    label: Box


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundSequence:
    """Participants from left to right; messages from top to bottom."""

    participants: tuple[Box, ...]
    messages: tuple[FoundMessage, ...]


def find_sequence(lines: Mask, boxes: Sequence[Box]) -> FoundSequence | None:
    """None where the boxes have no lifelines, or no message joins two of them."""
    if len(boxes) < 2:
        return None
    first = min(boxes, key=lambda box: box[1])
    tall = first[3] - first[1]
    row = sorted(box for box in boxes if abs(box[1] - first[1]) <= tall // 2)
    # Grounds between lifelines and messages are boxes too; those at the end mirror the first.
    mirrored = [box for box in boxes if any(_over(above, box) for above in row)]
    start = max(box[3] for box in row) + 3
    end = min((box[1] for box in mirrored), default=lines.shape[0]) - 3
    if len(row) < 2 or end - start < tall:
        return None
    middles = [_lifeline(lines, box, start, end) for box in row]
    if None in middles:
        return None
    places = [place for place in middles if place is not None]
    messages = _messages(lines, places, start, end)
    if not messages:
        return None
    return FoundSequence(participants=tuple(row), messages=tuple(messages))


def _over(above: Box, box: Box) -> bool:
    beside = max(abs(above[0] - box[0]), abs(above[2] - box[2]))
    return box[1] > above[3] and beside <= 3


def _lifeline(lines: Mask, box: Box, start: int, end: int) -> int | None:
    """The column near the box's middle with most ink, if it is a line."""
    middle = (box[0] + box[2]) // 2
    near = lines[start:end, middle - 3 : middle + 4]
    # The line may end before the picture does.
    rows = np.flatnonzero(near.any(axis=1))
    if rows.size < 8 or rows[0] > 8:
        return None
    shares = near[: rows[-1] + 1].mean(axis=0)
    return middle - 3 + int(shares.argmax()) if shares.max() >= _ALIVE else None


def _messages(lines: Mask, places: list[int], start: int, end: int) -> list[FoundMessage]:
    gaps = [
        lines[start:end, left + _ASIDE : right - _ASIDE + 1].mean(axis=1)
        for left, right in pairwise(places)
    ]
    inked = np.array(gaps)  # (gaps, rows)
    strokes = _stroke_rows(inked)
    found: list[FoundMessage] = []
    above = start
    for top, bottom in strokes:
        shares = inked[:, top:bottom].max(axis=1)
        across = np.flatnonzero(shares >= _STROKE)
        first, last = int(across[0]), int(across[-1]) + 1
        y = (top + bottom) // 2 + start
        left, right = places[first], places[last]
        to_right = _head(lines, y, right, -1) >= _head(lines, y, left, 1)
        found.append(
            FoundMessage(
                sender=first if to_right else last,
                receiver=last if to_right else first,
                solid=bool(shares[across].min() >= _SOLID),
                label=(left + 2, above + 2, right - 2, top + start - _TEXT_GAP),
            )
        )
        above = bottom + start + _HEAD
    return found


def _stroke_rows(inked: np.ndarray) -> list[tuple[int, int]]:
    """(top, bottom) of rows with a stroke, and with much less ink over and under them."""
    rows = inked.max(axis=0) >= _STROKE
    edges = np.flatnonzero(np.diff(np.r_[False, rows, False].astype(np.int8)))
    found = []
    for top, bottom in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        gap = int(inked[:, top:bottom].max(axis=1).argmax())
        beside = [inked[gap, y] for y in (top - 3, bottom + 2) if 0 <= y < inked.shape[1]]
        if bottom - top <= 6 and max(beside, default=0.0) < _STROKE:
            found.append((top, bottom))
    return found


def _head(lines: Mask, y: int, x: int, step: int) -> int:
    """Ink over and under the stroke, in the first pixels from a lifeline."""
    start, stop = sorted((x + 2 * step, x + 14 * step))
    window = lines[max(0, y - 7) : y + 8, max(0, start) : stop]
    middle = min(7, y)
    return int(np.delete(window, np.s_[max(0, middle - 1) : middle + 2], axis=0).sum())
