"""Looks at a picture of a drawn prompt and counts: which shapes, which colours, how many, where.

No network judges. Objects are connected regions that differ from the border's colour; a region's
colour is the nearest of the ten, its shape the one whose painted outline overlaps it most (at
least `LEAST_OVERLAP`, after both were scaled to one box; a region of quite another ratio of sides
is none).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from glm_t2i.evaluate.drawn_prompts import COLOURS, PLACES, SHAPES, Wanted
from glm_t2i.evaluate.shape_canvas import EDGE, Canvas, colour_of
from glm_t2i.picture_finish import border_colour

DIFFERS = 60  # of 255, of the background, in some channel
LEAST_AREA = 24  # pixels of a picture of 128; smaller regions are specks
LEAST_SHARE = 0.12  # of the largest region
LEAST_OVERLAP = 0.68
GRID = 32
PLACE_REACH = 0.17  # of the picture's side


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One region. `x`, `y`: its centre as shares of the picture; `shape` "" if none fits."""

    shape: str
    colour: str
    x: float
    y: float
    area: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """`shape` and `colour`: of every region; `everything`: count and place too."""

    shape: bool
    colour: bool
    count: bool
    place: bool

    @property
    def shape_and_colour(self) -> bool:
        return self.shape and self.colour

    @property
    def everything(self) -> bool:
        return self.shape and self.colour and self.count and self.place


def judge(picture: Image.Image, wanted: Wanted) -> Verdict:
    """Every object has to be right; a place counts only where it was asked for."""
    seen = regions(picture)
    if not seen:
        return Verdict(shape=False, colour=False, count=False, place=False)
    place = True
    if wanted.place:
        x, y = PLACES[wanted.place]
        place = all(abs(s.x - x) <= PLACE_REACH and abs(s.y - y) <= PLACE_REACH for s in seen)
    return Verdict(
        shape=all(s.shape == wanted.shape for s in seen),
        colour=all(s.colour == wanted.colour for s in seen),
        count=len(seen) == wanted.count,
        place=place,
    )


def regions(picture: Image.Image) -> list[Seen]:
    """What stands out of the background, largest first, specks left out."""
    rgb = picture.convert("RGB").resize((EDGE, EDGE), Image.Resampling.LANCZOS)
    pixels = np.asarray(rgb).astype(np.int32)
    away = np.abs(pixels - np.array(border_colour(rgb), np.int32)).max(axis=2)
    found = [part for part in connected(away > DIFFERS) if part.sum() >= LEAST_AREA]
    found.sort(key=lambda part: -int(part.sum()))
    return [_seen(part, pixels) for part in found if part.sum() >= LEAST_SHARE * found[0].sum()]


def connected(mask_HW: np.ndarray) -> list[np.ndarray]:
    """Regions of a mask that touch by sides, each as a mask."""
    left = mask_HW.copy()
    height, width = left.shape
    found = []
    for y, x in zip(*mask_HW.nonzero(), strict=True):
        if not left[y, x]:
            continue
        part, edge = np.zeros_like(left), [(int(y), int(x))]
        left[y, x] = False
        while edge:
            row, column = edge.pop()
            part[row, column] = True
            for r, c in (
                (row - 1, column),
                (row + 1, column),
                (row, column - 1),
                (row, column + 1),
            ):
                if 0 <= r < height and 0 <= c < width and left[r, c]:
                    left[r, c] = False
                    edge.append((r, c))
        found.append(part)
    return found


def _seen(part_HW: np.ndarray, pixels_HWC: np.ndarray) -> Seen:
    rows, columns = (np.flatnonzero(part_HW.any(axis=axis)) for axis in (1, 0))
    mean = np.median(pixels_HWC[part_HW], axis=0)
    nearest = min(COLOURS, key=lambda name: float(np.square(mean - COLOURS[name]).sum()))
    return Seen(
        shape=shape_of(part_HW),
        colour=nearest,
        x=float(columns[0] + columns[-1] + 1) / 2 / part_HW.shape[1],
        y=float(rows[0] + rows[-1] + 1) / 2 / part_HW.shape[0],
        area=int(part_HW.sum()),
    )


def shape_of(part_HW: np.ndarray) -> str:
    """The best fitting outline, or ""."""
    boxed, ratio = _boxed(part_HW)
    best, overlap = "", LEAST_OVERLAP
    for name in SHAPES:
        outline, own_ratio = _outline(name)
        if not 0.72 < ratio / own_ratio < 1.4:
            continue
        share = float((boxed & outline).sum() / (boxed | outline).sum())
        if share > overlap:
            best, overlap = name, share
    return best


@cache
def _outline(name: str) -> tuple[np.ndarray, float]:
    canvas = Canvas()
    canvas.shape(name, EDGE / 2, EDGE / 2, 56, colour_of("black"))
    return _boxed(np.asarray(canvas.finished().convert("L")) < 128)


def _boxed(part_HW: np.ndarray) -> tuple[np.ndarray, float]:
    """The region scaled to a square grid, and its width by its height."""
    rows, columns = (np.flatnonzero(part_HW.any(axis=axis)) for axis in (1, 0))
    cut = part_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = Image.fromarray((cut * 255).astype(np.uint8))
    grid = np.asarray(image.resize((GRID, GRID), Image.Resampling.BILINEAR)) > 127
    return grid, cut.shape[1] / cut.shape[0]
