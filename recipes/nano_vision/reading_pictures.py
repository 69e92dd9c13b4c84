"""Pictures of three lines of text for training: drawn, cut into cells as the product does it.

The place of the text is known here, so it is not searched for; it is jittered by what the search
is off by. `text_lines` of the product does the searching.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from glm_vision.drawn.words import READ_LINE
from glm_vision.reading_view import COLUMNS, SEGMENTS, Ink, canvas_of, even_ink, strip_of
from recipes.nano_vision.picture_sample import PictureSample, Turn, spelt_cells
from recipes.nano_vision.text_lines import LineSource

_MARGIN = 24


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """A font at one size, in pixels."""

    font: ImageFont.FreeTypeFont
    pitch: float
    ascent: float  # of tall letters, over the baseline


@cache
def metrics(path: Path, size: int) -> Metrics:
    """Loaded once for each size."""
    font = ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    tall = font.getbbox("dlH", anchor="ls")
    return Metrics(font=font, pitch=font.getlength("M" * 64) / 64, ascent=-tall[1])


class ReadingPictures:
    """Draws samples without end."""

    def __init__(self, fonts: list[Path], lines: LineSource, chooser: random.Random) -> None:
        self.fonts, self.lines, self.chooser = fonts, lines, chooser

    def sample(self) -> PictureSample:
        """Three lines (sometimes fewer), in one font and size.

        The patches say all that is written; the language part is asked for one line of it.
        """
        size = round(10 * 3.2 ** self.chooser.random())
        drawn = metrics(self.chooser.choice(self.fonts), size)
        count = SEGMENTS if self.chooser.random() < 0.85 else self.chooser.randrange(1, SEGMENTS)
        texts = [self.lines.line() for _ in range(count)]
        scale = self.chooser.gauss(1, 0.004)
        strips = [self._strip(text, drawn, scale) for text in texts]
        asked = self.chooser.randrange(count)
        return PictureSample(
            picture=canvas_of(strips),
            turns=(
                Turn(question=READ_LINE.format(line=asked + 1), answer=texts[asked], spelt=True),
            ),
            cells=spelt_cells(
                "".join(text.ljust(COLUMNS) for text in texts).ljust(COLUMNS * SEGMENTS)
            ),
        )

    def _strip(self, text: str, drawn: Metrics, scale: float) -> Ink:
        choose = self.chooser
        height = round(3 * drawn.ascent)
        width = round(drawn.pitch * COLUMNS) + 2 * _MARGIN
        picture = Image.new("L", (width, height), 0)
        pen = ImageDraw.Draw(picture)
        left, baseline = _MARGIN + choose.random(), round(2 * drawn.ascent)
        plain = choose.random() < 0.5
        at = 0
        for word in text.split(" "):
            fill = 255 if plain else choose.randrange(110, 256)
            pen.text((left + at * drawn.pitch, baseline), word, fill, font=drawn.font, anchor="ls")
            at += len(word) + 1
        if choose.random() < 0.2:
            radius = choose.uniform(0.2, 0.07 * drawn.ascent)
            picture = picture.filter(ImageFilter.GaussianBlur(radius))
        ascent = drawn.ascent * choose.gauss(1, 0.05)
        strip = strip_of(
            picture,
            left=left + drawn.pitch * choose.gauss(0, 0.07),
            baseline=baseline + drawn.ascent * choose.gauss(0, 0.03),
            pitch=drawn.pitch * scale,
            ascent=ascent,
        )
        strip = even_ink(strip)
        if choose.random() < 0.2:
            random_numbers = np.random.default_rng(choose.randrange(2**32))
            noise = np.asarray(random_numbers.normal(0, 0.05, strip.shape))
            strip = np.clip(strip + noise.astype(np.float32), 0, 1)
        return strip
