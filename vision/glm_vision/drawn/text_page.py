"""A picture of a few lines of code as an editor or a terminal shows them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Theme:
    """Colours of a page: the ground, and those that words take in turn."""

    name: str
    ground: Colour
    words: tuple[Colour, ...]


THEMES = (
    Theme(name="paper", ground=(255, 255, 255), words=((0, 0, 0), (0, 0, 170), (0, 110, 40))),
    Theme(
        name="night",
        ground=(30, 30, 30),
        words=((212, 212, 212), (86, 156, 214), (206, 145, 120), (106, 153, 85)),
    ),
    Theme(name="terminal", ground=(0, 0, 0), words=((204, 204, 204), (80, 220, 80))),
    Theme(
        name="solar",
        ground=(253, 246, 227),
        words=((101, 123, 131), (38, 139, 210), (133, 153, 0), (147, 161, 161)),
    ),
)
# Not among those that any training picture imitates.
UNSEEN_THEME = Theme(
    name="violet",
    ground=(46, 20, 70),
    words=((245, 224, 130), (255, 140, 190), (140, 230, 220), (150, 130, 190)),
)


@cache
def font_of(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """Loaded once for each size; no ligatures."""
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def draw_page(
    lines: tuple[str, ...], *, font: ImageFont.FreeTypeFont, theme: Theme, chooser: random.Random
) -> Image.Image:
    """Words in the theme's colours, with a margin and a line spacing that vary."""
    pitch = font.getlength("M" * 64) / 64
    ascent, descent = font.getmetrics()
    step = round((ascent + descent) * chooser.uniform(1.0, 1.35))
    left, top = chooser.randrange(4, 30), chooser.randrange(4, 24)
    width = round(left + max(len(line) for line in lines) * pitch) + chooser.randrange(6, 60)
    height = top + step * len(lines) + chooser.randrange(4, 24)
    picture = Image.new("RGB", (width, height), theme.ground)
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        baseline = top + ascent + number * step
        for word in re.finditer(r"\S+", line):
            fill = theme.words[hash_of(word[0]) % len(theme.words)]
            place = (left + word.start() * pitch, baseline)
            pen.text(place, word[0], fill, font=font, anchor="ls")
    return picture


def hash_of(word: str) -> int:
    """The same for the same word in every run."""
    return sum(ord(character) * (index + 7) for index, character in enumerate(word))
