"""Connected regions of a picture: what stands apart from the ground, found without a model.

Pure geometry, for simple drawings: shapes on an even ground, boxes and arrows, bars. What a region
*is* (a star, a letter) is for a model to say.

Masks are (height, width) of bool; boxes are left, top, right, bottom, the latter two past the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

Box = tuple[int, int, int, int]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Colours = np.ndarray[Any, np.dtype[np.float32]]
MOST_RUNS = 400_000  # of a mask: beyond it the picture is no simple drawing


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """Pixels that touch. `runs` are (row, start, end)."""

    box: Box
    area: int
    runs: tuple[tuple[int, int, int], ...]

    @property
    def fill(self) -> float:
        """Share of its box, 0 to 1."""
        return self.area / max(1, box_area(self.box))

    def mask(self, shape: tuple[int, int]) -> Mask:
        """Its own pixels."""
        mask = np.zeros(shape, dtype=bool)
        for row, start, end in self.runs:
            mask[row, start:end] = True
        return mask


def box_area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def grown(box: Box, by: int) -> Box:
    """Larger by so many pixels on each side."""
    return (box[0] - by, box[1] - by, box[2] + by, box[3] + by)


def part(mask: Mask, box: Box) -> Mask:
    """What of a mask lies in a box."""
    height, width = mask.shape
    left, top, right, bottom = box
    return mask[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]


def distance_from_ground(picture: Image.Image) -> Colours:
    """(height, width): how far a pixel is from the commonest colour, 0 to 255."""
    colours = np.asarray(picture.convert("RGB"))
    coarse = colours.astype(np.uint32) >> 3
    keys = (coarse[..., 0] << 10) | (coarse[..., 1] << 5) | coarse[..., 2]
    ground = np.median(colours[keys == np.bincount(keys.ravel()).argmax()], axis=0)
    difference = np.abs(colours.astype(np.float32) - ground.astype(np.float32))
    found: Colours = difference.max(axis=2)
    return found


def saturation(picture: Image.Image) -> Colours:
    """(height, width): the largest less the smallest of red, green, blue."""
    colours = np.asarray(picture.convert("RGB")).astype(np.float32)
    found: Colours = colours.max(axis=2) - colours.min(axis=2)
    return found


def find_regions(mask: Mask, *, least: int = 1, corners: bool = True) -> list[Region]:
    """Regions of at least so many pixels, by their first row. Empty on a mask of mere noise.

    `corners`: pixels that touch by a corner belong together; grounds must not leak through the
    corners of thin outlines, so for those it is False.
    """
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    if len(rows) > MOST_RUNS:
        return []
    runs = list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True))
    parent = list(range(len(runs)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    slack = 0 if corners else 1
    above = 0  # first run of the row before that may still touch
    for index, (row, start, end) in enumerate(runs):
        while above < index and (
            runs[above][0] < row - 1
            or (runs[above][0] == row - 1 and runs[above][2] < start + slack)
        ):
            above += 1
        other = above
        while other < index and runs[other][0] == row - 1 and runs[other][1] <= end - slack:
            a, b = root(other), root(index)
            parent[max(a, b)] = min(a, b)
            other += 1
    groups: dict[int, list[tuple[int, int, int]]] = {}
    for index, run in enumerate(runs):
        groups.setdefault(root(index), []).append(run)
    found = [_region(group) for group in groups.values()]
    return [region for region in found if region.area >= least]


def _region(runs: list[tuple[int, int, int]]) -> Region:
    return Region(
        box=(
            min(start for _, start, _ in runs),
            runs[0][0],
            max(end for _, _, end in runs),
            runs[-1][0] + 1,
        ),
        area=sum(end - start for _, start, end in runs),
        runs=tuple(runs),
    )


def enclosed_boxes(lines: Mask, *, least_side: int = 8) -> list[Box]:
    """Rectangles drawn as outlines: grounds shut in by ink on all four sides.

    The box is that of the ground inside; holes of letters are too small, and grounds between
    arrows are not rectangles.
    """
    height, width = lines.shape
    found = []
    for region in find_regions(~lines, least=least_side * least_side, corners=False):
        left, top, right, bottom = region.box
        if left <= 0 or top <= 0 or right >= width or bottom >= height:
            continue
        if min(right - left, bottom - top) >= least_side and _border(lines, region.box) > 0.8:
            found.append(region.box)
    return [box for box in found if not any(_inside(box, other) for other in found)]


def _border(lines: Mask, box: Box) -> float:
    """Share of the frame around a box that is ink; a corner may be round."""
    left, top, right, bottom = box
    sides = (
        lines[max(0, top - 2) : top, left:right].any(axis=0),
        lines[bottom : bottom + 2, left:right].any(axis=0),
        lines[top:bottom, max(0, left - 2) : left].any(axis=1),
        lines[top:bottom, right : right + 2].any(axis=1),
    )
    return float(min(side.mean() if side.size else 0.0 for side in sides))


def _inside(box: Box, other: Box) -> bool:
    return (
        box != other
        and other[0] <= box[0]
        and other[1] <= box[1]
        and box[2] <= other[2]
        and box[3] <= other[3]
    )
