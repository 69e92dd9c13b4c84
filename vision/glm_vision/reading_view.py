"""How text is laid before a small model: one character cell to one patch, dark on white.

A model of 12 x 12 patches of 16 pixels reads three segments of 48 columns a picture. Segment l
fills the patch rows 4l to 4l + 3, and its column c stands in row 4l + c // 12, column c % 12:

    segment 0   columns  0..11
                columns 12..23        each cell 16 x 16 pixels, stretched from about 1 : 2
                columns 24..35
                columns 36..47
    segment 1   columns  0..11 …

Finding the lines in a picture is `text_lines`' business; asking the model is `reading`'s. Arrays
are ink: 0 on the background, 1 where the text is darkest, whatever the colours were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

CELL = 16  # pixels, the model's patch
GRID = 12  # patches along one side
SIDE = CELL * GRID
SEGMENTS = 3  # a picture
COLUMNS = 48  # a segment
ROWS = COLUMNS // GRID  # patch rows of a segment

ABOVE, BELOW = 1.15, 0.4  # of the ascent: what a cell shows over and under the baseline
_FAINT = 0.2  # of the darkest ink: text fainter than this is left as faint as it is

Ink = np.ndarray[Any, np.dtype[np.float32]]


def strip_of(ink: Image.Image, *, left: float, baseline: float, pitch: float, ascent: float) -> Ink:
    """One segment, (CELL, COLUMNS * CELL), cut out of a grey picture (mode L, 255 is ink).

    `left` is where column 0 begins, `pitch` the width of a column, `ascent` the height of tall
    letters over the baseline; all in pixels. What lies outside of the picture is background.
    """
    top, bottom = baseline - ABOVE * ascent, baseline + BELOW * ascent
    right = left + COLUMNS * pitch
    # resize() reads inside of the picture only, so a border of background is added first.
    x0, y0 = int(np.floor(left)) - 1, int(np.floor(top)) - 1
    x1, y1 = int(np.ceil(right)) + 1, int(np.ceil(bottom)) + 1
    region = ink.crop((x0, y0, x1, y1))
    box = (left - x0, top - y0, right - x0, bottom - y0)
    size = (COLUMNS * CELL, CELL)
    strip = region.resize(size, Image.Resampling.BILINEAR, box=box)
    return np.asarray(strip, dtype=np.float32) / np.float32(255)


def even_ink(strip: Ink) -> Ink:
    """Faint words (comments, dim colours) brought to the same darkness as their neighbours."""
    cells = strip.reshape(CELL, COLUMNS, CELL).max(axis=(0, 2))
    wide = np.maximum(cells, np.maximum(np.r_[cells[1:], 0.0], np.r_[0.0, cells[:-1]]))
    darkest = float(cells.max())
    if darkest <= 0:
        return strip
    scale = np.maximum(wide, _FAINT * darkest)
    even = np.minimum(strip / np.repeat(scale, CELL)[None, :], 1.0)
    return np.ascontiguousarray(even, dtype=np.float32)


def canvas_of(strips: Sequence[Ink]) -> Image.Image:
    """One to SEGMENTS strips on a white square of SIDE pixels. ValueError on any other count."""
    if not 1 <= len(strips) <= SEGMENTS:
        raise ValueError(f"a picture holds 1 to {SEGMENTS} segments, not {len(strips)}")
    ink = np.zeros((SEGMENTS * ROWS, CELL, GRID * CELL), dtype=np.float32)
    for number, strip in enumerate(strips):
        rows = strip.reshape(CELL, ROWS, GRID * CELL).transpose(1, 0, 2)
        ink[number * ROWS : (number + 1) * ROWS] = rows
    grey = (255 - 255 * ink.reshape(SIDE, SIDE) + 0.5).astype(np.uint8)
    return Image.fromarray(grey, "L").convert("RGB")
