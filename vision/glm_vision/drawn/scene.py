"""Coloured shapes on an even ground, to be described, counted, added up and located."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass

from PIL import Image, ImageDraw

from glm_vision.drawn.words import COLOURS, SHAPES

Box = tuple[int, int, int, int]
MOST = 6
_GROUNDS = ((255, 255, 255), (245, 245, 240), (230, 236, 245), (40, 42, 48))


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """One shape; the box is left, top, right, bottom in pixels."""

    colour: str
    shape: str
    box: Box

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Things in reading order."""

    picture: Image.Image
    things: tuple[Thing, ...]

    def described(self) -> str:
        """`2 red circles, 1 blue square`, in the order of the lists of words."""
        counts = Counter(thing.name for thing in self.things)
        order = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
        parts = [f"{counts[name]} {named(name, counts[name])}" for name in order if counts[name]]
        return ", ".join(parts)

    def count(self, wanted: str) -> int:
        """Of a name, a shape, or "shape" for any."""
        return sum(wanted in (thing.name, thing.shape, "shape") for thing in self.things)


def named(name: str, count: int) -> str:
    """With its plural."""
    return name if count == 1 else name + ("es" if name.endswith("ss") else "s")


def draw_scene(chooser: random.Random, *, most: int = MOST) -> Scene:
    """One to `most` things that do not touch; often several of one kind."""
    width, height = chooser.randrange(200, 420), chooser.randrange(200, 420)
    picture = Image.new("RGB", (width, height), chooser.choice(_GROUNDS))
    pen = ImageDraw.Draw(picture)
    kinds = [
        (chooser.choice(list(COLOURS)), chooser.choice(SHAPES))
        for _ in range(chooser.randrange(1, 5))
    ]
    things: list[Thing] = []
    for _ in range(chooser.randrange(1, most + 1)):
        box = _free_place(chooser, width, height, [thing.box for thing in things])
        if box is None:
            break
        colour, shape = chooser.choice(kinds)
        paint(pen, shape, box, COLOURS[colour])
        things.append(Thing(colour=colour, shape=shape, box=box))
    things.sort(key=lambda thing: (thing.box[1], thing.box[0]))
    return Scene(picture=picture, things=tuple(things))


def _free_place(chooser: random.Random, width: int, height: int, taken: list[Box]) -> Box | None:
    for _ in range(40):
        side = int(min(width, height) * chooser.uniform(0.13, 0.3))
        left, top = chooser.randrange(2, width - side - 2), chooser.randrange(2, height - side - 2)
        box = (left, top, left + side, top + side)
        if all(
            box[2] + 4 < other[0] or other[2] + 4 < box[0]
            or box[3] + 4 < other[1] or other[3] + 4 < box[1]
            for other in taken
        ):  # fmt: skip
            return box
    return None


def paint(pen: ImageDraw.ImageDraw, shape: str, box: Box, fill: tuple[int, int, int]) -> None:
    """One shape that fills its box."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    match shape:
        case "circle":
            pen.ellipse(box, fill)
        case "square":
            pen.rectangle(box, fill)
        case "triangle":
            pen.polygon([(left, bottom), (right, bottom), ((left + right) / 2, top)], fill)
        case "cross":
            pen.rectangle((left + width * 0.34, top, right - width * 0.34, bottom), fill)
            pen.rectangle((left, top + height * 0.34, right, bottom - height * 0.34), fill)
        case _:
            points = []
            for corner in range(10):
                reach = 0.5 if corner % 2 == 0 else 0.2
                angle = math.pi * corner / 5
                x = (left + right) / 2 + width * reach * math.sin(angle)
                y = (top + bottom) / 2 - height * reach * math.cos(angle)
                points.append((x, y))
            pen.polygon(points, fill)
