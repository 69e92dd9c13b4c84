"""Bar and line charts with named values, and their data."""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from glm_vision.drawn.words import COLOURS

Box = tuple[int, int, int, int]
_NAMES = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Q1", "Q2", "Q3", "Q4", "A", "B", "C", "D"),
    *("py", "go", "ts", "rs", "js", "api", "web", "db", "v1", "v2", "v3", "old", "new"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueChart:
    """`marks` are the boxes of the bars, or of the points of a line, from left to right."""

    picture: Image.Image
    kind: str  # "bars" or "points"
    names: tuple[str, ...]
    values: tuple[int, ...]
    marks: tuple[Box, ...]

    def csv(self) -> str:
        rows = [f"{name},{value}" for name, value in zip(self.names, self.values, strict=True)]
        return "\n".join(["name,value", *rows])


def draw_chart(chooser: random.Random, font: ImageFont.FreeTypeFont) -> ValueChart:
    """Two to six values between nothing and the axis's top; ticks at a half and at the top."""
    count = chooser.randrange(2, 7)
    names = tuple(chooser.sample(_NAMES, count))
    top_value = chooser.choice((10, 20, 40, 50, 80, 100, 200, 400, 1000))
    values = tuple(round(chooser.uniform(0.08, 1.0) * top_value) for _ in range(count))
    kind = chooser.choice(("bars", "bars", "points"))
    unit = font.size
    slot = int(max(3.4 * unit, max(font.getlength(name) for name in names) + unit))
    axis_left = int(font.getlength(str(top_value)) + 1.6 * unit)
    plot_height = int(unit * chooser.uniform(8, 14))
    top, bottom = int(1.5 * unit), int(1.5 * unit) + plot_height
    width, height = axis_left + slot * count + unit, bottom + int(2.2 * unit)
    dark = chooser.random() < 0.3
    ground, line = ((34, 36, 42), (215, 215, 215)) if dark else ((255, 255, 255), (40, 40, 40))
    picture = Image.new("RGB", (int(width), height), ground)
    pen = ImageDraw.Draw(picture)
    colour = chooser.choice(list(COLOURS.values()))
    pen.line([(axis_left, top - 2), (axis_left, bottom), (width - unit // 2, bottom)], line, 1)
    for tick in (0, top_value // 2, top_value):
        y = bottom - plot_height * tick / top_value
        pen.line([(axis_left - 4, y), (axis_left, y)], line, 1)
        pen.text((axis_left - 0.6 * unit, y), str(tick), line, font, anchor="rm")
    marks: list[Box] = []
    for number, (name, value) in enumerate(zip(names, values, strict=True)):
        middle = axis_left + slot * number + slot // 2 + 2
        y = round(bottom - plot_height * value / top_value)
        pen.text((middle, bottom + 1.2 * unit), name, line, font, anchor="mm")
        half = int(0.3 * slot) if kind == "bars" else max(3, int(0.35 * unit))
        if kind == "bars":
            marks.append((middle - half, y, middle + half, bottom))
            pen.rectangle(marks[-1], colour)
        else:
            marks.append((middle - half, y - half, middle + half, y + half))
    if kind == "points":
        centres = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in marks]
        pen.line(centres, colour, 2)
        for box in marks:
            pen.ellipse(box, colour)
    return ValueChart(picture=picture, kind=kind, names=names, values=values, marks=tuple(marks))
