"""How the things of a picture are laid before a small model to be named: one thing to one patch.

The sister of `reading_view`: each thing's own box is squeezed into a cell of 16 x 16 pixels, in
its colours, and the cells fill the square from the top left. What is a thing is found by
`regions`; what kind of thing, the model says.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from glm_vision.reading_view import CELL, GRID, SIDE

MOST = GRID * GRID
_RIM = 1  # pixels of ground around a thing, in its cell


def cell_of(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """The part of an RGB picture in `box` (right and bottom past it), squeezed, with a rim."""
    left, top, right, bottom = box
    grow_x = (right - left) * _RIM / (CELL - 2 * _RIM)
    grow_y = (bottom - top) * _RIM / (CELL - 2 * _RIM)
    wanted = (left - grow_x, top - grow_y, right + grow_x, bottom + grow_y)
    inside = (
        max(0.0, wanted[0]),
        max(0.0, wanted[1]),
        min(float(picture.width), wanted[2]),
        min(float(picture.height), wanted[3]),
    )
    return picture.resize((CELL, CELL), Image.Resampling.BILINEAR, box=inside)


def things_canvas(cells: Sequence[Image.Image]) -> Image.Image:
    """Up to MOST cells on white, in reading order. Raises ValueError on more."""
    if len(cells) > MOST:
        raise ValueError(f"a picture holds {MOST} things, not {len(cells)}")
    canvas = Image.new("RGB", (SIDE, SIDE), "white")
    for number, cell in enumerate(cells):
        canvas.paste(cell, (number % GRID * CELL, number // GRID * CELL))
    return canvas
