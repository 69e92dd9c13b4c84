"""Classes of a class diagram: boxes that stand on one another, and what marks a line's end.

Geometry, no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glm_vision.drawn.diagram_words import border_point
from glm_vision.regions import Box, Mask, grown

Profile = np.ndarray[tuple[int], np.dtype[np.float64]]

REACH = 40  # pixels from a class in which its triangle, diamond or arrow head stands
_ASIDE = 14  # pixels from the line in which they do
_HOLLOW = 0.75  # of the way across is ink: less makes an outline
_SIDE = 4  # pixels by which the sides of one class's parts may differ


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundClass:
    """`parts` from top to bottom: the name, then members."""

    parts: tuple[Box, ...]

    @property
    def box(self) -> Box:
        first, last = self.parts[0], self.parts[-1]
        return (first[0], first[1], first[2], last[3])


def find_classes(boxes: Sequence[Box]) -> list[FoundClass]:
    """Every box is a class or a part of one; in the order given."""
    found: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box[1]):
        for parts in found:
            last = parts[-1]
            same = max(abs(box[0] - last[0]), abs(box[2] - last[2])) <= _SIDE
            if same and 0 < box[1] - last[3] <= _SIDE + 2:
                parts.append(box)
                break
        else:
            found.append([box])
    return [FoundClass(parts=tuple(parts)) for parts in found]


def mark_of(lines: Mask, marked: Box, plain: Box) -> str:
    """`<|--`, `*--` or `-->`: what stands where the line from `plain` meets `marked`.

    Looked at along the line: how wide the ink is at each pixel from the class.
    """
    widths, filled = _along(lines, marked, plain)
    if not widths.any():
        return "-->"
    widest = int(widths.argmax())
    wide = widths >= 0.5 * widths[widest]
    if np.median(filled[wide]) < _HOLLOW:
        return "<|--"
    after = widths[widest + 2 : widest + 2 + max(3, widest // 2)]
    # A diamond gets narrower as slowly as it got wider, a head ends at once.
    return "*--" if after.size and after.mean() > 0.5 * widths[widest] else "-->"


def _along(lines: Mask, marked: Box, plain: Box) -> tuple[Profile, Profile]:
    """By the distance from `marked`: pixels from the ink's one side to its other, and the share of
    them that is ink."""
    tip, far = border_point(marked, plain), border_point(plain, marked)
    length = max(1.0, float(np.hypot(far[0] - tip[0], far[1] - tip[1])))
    ahead = ((far[0] - tip[0]) / length, (far[1] - tip[1]) / length)
    reach = int(min(REACH, length - 4))
    left, top = max(0, int(tip[0]) - REACH), max(0, int(tip[1]) - REACH)
    window = lines[top : int(tip[1]) + REACH, left : int(tip[0]) + REACH].copy()
    box = grown(marked, 3)  # its own border is no mark
    window[
        max(0, box[1] - top) : max(0, box[3] - top), max(0, box[0] - left) : max(0, box[2] - left)
    ] = False
    rows, columns = np.nonzero(window)
    x, y = columns + left - tip[0], rows + top - tip[1]
    distance, aside = x * ahead[0] + y * ahead[1], y * ahead[0] - x * ahead[1]
    widths, filled = np.zeros(max(1, reach)), np.ones(max(1, reach))
    for at in range(3, reach):
        here = aside[(distance >= at - 0.5) & (distance < at + 0.5) & (np.abs(aside) <= _ASIDE)]
        if here.size:
            widths[at] = here.max() - here.min() + 1
            filled[at] = min(1.0, here.size / widths[at])
    return widths, filled
