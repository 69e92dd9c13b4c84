"""What the model is shown, and when: reading first, then everything."""

from __future__ import annotations

import random

from recipes.nano_vision import fonts
from recipes.nano_vision.drawn_pictures import DrawnPictures
from recipes.nano_vision.picture_sample import PictureSample
from recipes.nano_vision.reading_pictures import ReadingPictures
from recipes.nano_vision.text_lines import LineSource, read_code_lines
from recipes.nano_vision.thing_pictures import ThingPictures

# Shares of the pictures, once all kinds are shown; the rest is text.
DRAWN, THINGS = 0.12, 0.10


class Curriculum:
    """Draws one sample after another."""

    def __init__(
        self,
        reading: ReadingPictures,
        drawn: DrawnPictures,
        things: ThingPictures,
        chooser: random.Random,
    ) -> None:
        self.reading, self.drawn, self.things = reading, drawn, things
        self.chooser = chooser

    @classmethod
    def of_fonts(cls, chooser: random.Random) -> Curriculum:
        """With the fonts and the corpus that the recipe fetched."""
        lines = LineSource(read_code_lines(), chooser)
        files = fonts.paths("train")
        reading = ReadingPictures(files, lines, chooser)
        return cls(reading, DrawnPictures(files, chooser), ThingPictures(chooser), chooser)

    def sample(self, everything: bool) -> PictureSample:
        """Text alone until `everything`."""
        choice = self.chooser.random() if everything else 1.0
        if choice < DRAWN:
            return self.drawn.sample()
        if choice < DRAWN + THINGS:
            return self.things.sample()
        return self.reading.sample()
