"""Several pictures on one, numbered from the best: what a person looks at to choose."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

GAP = 8
LABEL = 14
CELL = 160
PAPER = (245, 245, 245)
INK = (60, 60, 60)


def contact_sheet(
    pictures: Sequence[Image.Image], labels: Sequence[str], *, columns: int = 0, cell: int = CELL
) -> Image.Image:
    """RGB; transparent places on a light chequerboard of the sheet, not of the picture."""
    columns = columns or min(len(pictures), 4)
    rows = -(-len(pictures) // columns)
    size = (GAP + columns * (cell + GAP), GAP + rows * (cell + LABEL + GAP))
    sheet = Image.new("RGB", size, PAPER)
    words = ImageDraw.Draw(sheet)
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left = GAP + index % columns * (cell + GAP)
        top = GAP + index // columns * (cell + LABEL + GAP)
        small = picture.convert("RGBA")
        small.thumbnail((cell, cell), Image.Resampling.LANCZOS)
        ground = (
            chequered(cell) if picture.mode == "RGBA" else Image.new("RGB", (cell, cell), "white")
        )
        place = ((cell - small.width) // 2, (cell - small.height) // 2)
        ground.paste(small, place, small)
        sheet.paste(ground, (left, top))
        words.text((left, top + cell + 1), label[:26], fill=INK)
    return sheet


def chequered(side: int, square: int = 8) -> Image.Image:
    """Light grey squares on white."""
    ground = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(ground)
    for row in range(0, side, square):
        for column in range((row // square % 2) * square, side, 2 * square):
            pen.rectangle(
                (column, row, column + square - 1, row + square - 1), fill=(225, 225, 225)
            )
    return ground
