"""What the model is shown, and when: reading first, then everything."""

from __future__ import annotations

import random

from recipes.nano_vision import fonts
from recipes.nano_vision.drawn_pictures import DrawnPictures
from recipes.nano_vision.picture_sample import PictureSample
from recipes.nano_vision.reading_pictures import ReadingPictures
from recipes.nano_vision.text_lines import LineSource, read_code_lines

DRAWN = 0.55  # share of drawn pictures, once they are shown


class Curriculum:
    """Draws one sample after another."""

    def __init__(
        self, reading: ReadingPictures, drawn: DrawnPictures, chooser: random.Random
    ) -> None:
        self.reading, self.drawn, self.chooser = reading, drawn, chooser

    @classmethod
    def of_fonts(cls, chooser: random.Random) -> Curriculum:
        """With the fonts and the corpus that the recipe fetched."""
        lines = LineSource(read_code_lines(), chooser)
        files = fonts.paths("train")
        reading = ReadingPictures(files, lines, chooser)
        return cls(reading, DrawnPictures(files, chooser), chooser)

    def sample(self, everything: bool) -> PictureSample:
        """Text alone until `everything`."""
        if everything and self.chooser.random() < DRAWN:
            return self.drawn.sample()
        return self.reading.sample()
