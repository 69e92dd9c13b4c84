"""Cut a dense picture into tiles that a fixed square input can still read.

CogVLM squeezes every picture into one square (490 or 1,344 pixels): a 1,920 x 1,080 screenshot
comes out at a quarter of its width, and its text is gone. The plan is geometry alone: the whole
picture first, for the overview, then tiles from left to right and top to bottom, which overlap
so that a line of text cut by one is whole in another. All lengths are source pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

DENSE = 0.04  # share of pixels on a sharp edge; text and code have 0.06 to 0.2, photos less


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """A rectangle of the picture."""

    left: int
    top: int
    width: int
    height: int

    def crop(self, picture: Image.Image) -> Image.Image:
        return picture.crop((self.left, self.top, self.left + self.width, self.top + self.height))

    def to_source(self, left: int, top: int, right: int, bottom: int) -> tuple[int, int, int, int]:
        """A box in this tile's pixels, in the picture's."""
        return (left + self.left, top + self.top, right + self.left, bottom + self.top)


def plan_tiles(
    width: int,
    height: int,
    *,
    side: int,
    readable: float = 1.6,
    overlap: int = 48,
    most: int = 6,
) -> tuple[Tile, ...]:
    """The whole picture, and after it the tiles that it needs (none if it can be read whole).

    `side` is the model's input. A tile may be scaled down by `readable` at most, unless that
    would take more than `most` tiles: then tiles grow until they fit. `overlap` is at least two
    lines of common text. Raises ValueError on sizes that make no sense.
    """
    if min(width, height, side, most) < 1 or readable < 1 or not 0 <= overlap < side:
        raise ValueError(f"no tiles for {width} x {height} into {side} with {overlap} overlap")
    whole = Tile(left=0, top=0, width=width, height=height)
    reach = int(side * readable)
    if max(width, height) <= reach:
        return (whole,)
    columns, rows = _count(width, reach, overlap), _count(height, reach, overlap)
    while columns * rows > most:
        reach = math.ceil(reach * 1.1)
        columns, rows = _count(width, reach, overlap), _count(height, reach, overlap)
    if columns * rows == 1:
        return (whole,)
    tiles = [
        Tile(left=left, top=top, width=across, height=down)
        for top, down in _spans(height, rows, overlap)
        for left, across in _spans(width, columns, overlap)
    ]
    return (whole, *tiles)


def is_dense(picture: Image.Image) -> bool:
    """True for screenshots of text, code and tables, which deserve tiles; False for photos."""
    return edge_share(picture) >= DENSE


def edge_share(picture: Image.Image) -> float:
    """Share of pixels, 0..1, whose brightness jumps by a quarter of the range to a neighbour."""
    grey = np.asarray(picture.convert("L").filter(ImageFilter.FIND_EDGES))
    inner = grey[1:-1, 1:-1]  # the filter copies the border
    return float((inner > 64).mean()) if inner.size else 0.0


def _count(length: int, reach: int, overlap: int) -> int:
    return 1 if length <= reach else math.ceil((length - overlap) / (reach - overlap))


def _spans(length: int, count: int, overlap: int) -> list[tuple[int, int]]:
    """(start, length) of `count` equal pieces that overlap and together cover `length`."""
    size = math.ceil((length + overlap * (count - 1)) / count)
    last = length - size
    starts = [round(last * index / max(1, count - 1)) for index in range(count)]
    return [(start, size) for start in starts]
