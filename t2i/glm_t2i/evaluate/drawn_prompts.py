"""Prompts whose answer can be counted: a shape, its colour, how many, where.

The recipe of the bundled model paints them; the evaluation asks for them and looks. Not the
painting itself, and not the looking (`attribute_check`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "ring", "cross")
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 38, 38),
    "orange": (249, 115, 22),
    "yellow": (250, 204, 21),
    "green": (22, 163, 74),
    "blue": (37, 99, 235),
    "purple": (147, 51, 234),
    "pink": (244, 114, 182),
    "brown": (133, 77, 14),
    "black": (17, 24, 39),
    "gray": (156, 163, 175),
}
NUMBERS = ("", "one", "two", "three", "four")
# The centre of a lone object, as shares of the width and the height.
PLACES: dict[str, tuple[float, float]] = {
    "top left": (0.25, 0.25),
    "top": (0.5, 0.25),
    "top right": (0.75, 0.25),
    "left": (0.25, 0.5),
    "center": (0.5, 0.5),
    "right": (0.75, 0.5),
    "bottom left": (0.25, 0.75),
    "bottom": (0.5, 0.75),
    "bottom right": (0.75, 0.75),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """`count` equal objects; `place` is a word of PLACES, or empty where it was not asked for."""

    shape: str
    colour: str
    count: int = 1
    place: str = ""

    def __post_init__(self) -> None:
        if self.shape not in SHAPES or self.colour not in COLOURS:
            raise ValueError(f"{self.colour} {self.shape} is not a drawn prompt")
        if not 1 <= self.count < len(NUMBERS) or (self.place and self.place not in PLACES):
            raise ValueError("count must be 1 to 4 and the place one of PLACES")
        if self.place and self.count > 1:
            raise ValueError("a place belongs to a lone object")

    def sentence(self, generator: random.Random | None = None) -> str:
        """The plainest wording, or one of several where a generator is given."""
        thing = f"{self.colour} {self.shape}"
        if self.count > 1:
            many = f"{self.colour} {plural(self.shape)}"
            number = NUMBERS[self.count]
            wordings = [f"{number} {many}", f"{self.count} {many}", f"a picture of {number} {many}"]
        elif self.place:
            where = "in the center" if self.place == "center" else f"at the {self.place}"
            wordings = [
                f"a {thing} {where}", f"{thing} {where}", f"one {thing} {where}",
                f"a {thing} in the {self.place}",
            ]  # fmt: skip
        else:
            wordings = [
                f"a {thing}",
                thing,
                f"one {thing}",
                f"a picture of a {thing}",
                f"1 {thing}",
            ]
        return wordings[0] if generator is None else generator.choice(wordings)


def plural(shape: str) -> str:
    return shape + ("es" if shape == "cross" else "s")


def plain_prompts() -> list[Wanted]:
    """Every shape in every colour, alone."""
    return [Wanted(shape=shape, colour=colour) for shape in SHAPES for colour in COLOURS]


def sampled_prompts(number: int, *, seed: int) -> list[Wanted]:
    """Prompts that ask for a count or a place besides, half and half."""
    draw = random.Random(seed)
    found = []
    for index in range(number):
        shape, colour = draw.choice(SHAPES), draw.choice(list(COLOURS))
        if index % 2:
            found.append(Wanted(shape=shape, colour=colour, place=draw.choice(list(PLACES))))
        else:
            found.append(Wanted(shape=shape, colour=colour, count=draw.randint(2, 4)))
    return found
