"""The drawn shapes, painted: what a drawn prompt asks for, as it should look.

The recipe of the bundled model trains on such pictures, the evaluation compares with them.

Pictures are painted `OVERSAMPLING` times as large and averaged down, so that edges are smooth.
"""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from glm_t2i.evaluate.drawn_prompts import COLOURS, PLACES, Wanted

EDGE = 128
OVERSAMPLING = 4
WHITE = (255, 255, 255)
Colour = tuple[int, int, int]


class Canvas:
    """A white square picture; lengths and places are in final pixels."""

    def __init__(self, background: Colour = WHITE) -> None:
        side = EDGE * OVERSAMPLING
        self._image = Image.new("RGB", (side, side), background)
        self._draw = ImageDraw.Draw(self._image)

    def finished(self) -> Image.Image:
        return self._image.reduce(OVERSAMPLING)

    def box(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        colour: Colour,
        round_: float = 0,
    ) -> None:
        corners = [OVERSAMPLING * value for value in (left, top, right, bottom)]
        corners[2] -= 1
        corners[3] -= 1
        if corners[2] > corners[0] and corners[3] > corners[1]:
            self._draw.rounded_rectangle(corners, OVERSAMPLING * round_, fill=colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        ends = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse([OVERSAMPLING * value for value in ends], fill=colour)

    def slice(
        self, x: float, y: float, radius: float, start: float, end: float, colour: Colour
    ) -> None:
        ends = [OVERSAMPLING * v for v in (x - radius, y - radius, x + radius, y + radius)]
        self._draw.pieslice((ends[0], ends[1], ends[2], ends[3]), start, end, fill=colour)

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        self._draw.polygon([(OVERSAMPLING * x, OVERSAMPLING * y) for x, y in points], fill=colour)

    def line(self, points: list[tuple[float, float]], width: float, colour: Colour) -> None:
        scaled = [(OVERSAMPLING * x, OVERSAMPLING * y) for x, y in points]
        self._draw.line(scaled, fill=colour, width=round(OVERSAMPLING * width), joint="curve")

    def shape(self, name: str, x: float, y: float, radius: float, colour: Colour) -> None:
        """One of `drawn_prompts.SHAPES` within a circle or square of that radius."""
        if name in ("circle", "ring"):
            self.disc(x, y, radius, colour)
            if name == "ring":
                self.disc(x, y, radius * 0.55, WHITE)
        elif name == "square":
            side = radius * 0.88
            self.box(x - side, y - side, x + side, y + side, colour)
        elif name == "cross":
            arm = radius * 0.32
            self.box(x - radius, y - arm, x + radius, y + arm, colour)
            self.box(x - arm, y - radius, x + arm, y + radius, colour)
        else:
            points = [(x + radius * dx, y + radius * dy) for dx, dy in outline(name)]
            self.polygon(points, colour)


def outline(name: str) -> list[tuple[float, float]]:
    """Corners, y downward. Raises KeyError on a shape that has none."""
    return {
        "triangle": [(0.0, -0.95), (1.0, 0.8), (-1.0, 0.8)],
        "diamond": [(0.0, -1.0), (0.78, 0.0), (0.0, 1.0), (-0.78, 0.0)],
        "star": _star(),
        "heart": _heart(),
    }[name]


def _star() -> list[tuple[float, float]]:
    angles = [math.pi * (index / 5 - 0.5) for index in range(10)]
    radii = [1.0 if index % 2 == 0 else 0.42 for index in range(10)]
    return [(r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]


def _heart() -> list[tuple[float, float]]:
    turns = [2 * math.pi * index / 60 for index in range(60)]
    return [
        (
            math.sin(t) ** 3,
            -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t))
            / 16.5,
        )
        for t in turns
    ]


def colour_of(name: str) -> Colour:
    return COLOURS[name]


# Places are multiples of 8 pixels, one code of the tokenizer.
_CENTRES = {
    2: ((32, 64), (96, 64)),
    3: ((24, 64), (64, 64), (104, 64)),
    4: ((32, 32), (96, 32), (32, 96), (96, 96)),
}
_RADII = {2: 24, 3: 16, 4: 24}
_ALONE, _AT_PLACE = 40, 24


def paint(wanted: Wanted) -> Image.Image:
    """The picture that a drawn prompt asks for: always the same one."""
    canvas, colour = Canvas(), colour_of(wanted.colour)
    if wanted.place:
        x, y = (round(share * EDGE) for share in PLACES[wanted.place])
        canvas.shape(wanted.shape, x, y, _AT_PLACE, colour)
    elif wanted.count == 1:
        canvas.shape(wanted.shape, EDGE / 2, EDGE / 2, _ALONE, colour)
    else:
        for x, y in _CENTRES[wanted.count]:
            canvas.shape(wanted.shape, x, y, _RADII[wanted.count], colour)
    return canvas.finished()
