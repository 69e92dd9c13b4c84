"""Pictures of many shapes, one a patch, for training: what the product lays out to be named."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

from glm_vision.drawn.scene import paint
from glm_vision.drawn.words import COLOURS, DESCRIBE, SHAPES
from glm_vision.thing_view import MOST, cell_of, things_canvas
from recipes.nano_vision.picture_sample import CHARACTERS, PictureSample, Turn
from recipes.nano_vision.tokenizer import build


class ThingPictures:
    """Draws samples without end."""

    def __init__(self, chooser: random.Random) -> None:
        self.chooser = chooser
        words = build().get_vocab()
        self.ids = {shape: words[f" {shape}"] for shape in SHAPES}

    def sample(self) -> PictureSample:
        """Twelve to forty-eight shapes; the language part has little to say to them."""
        cells, names = [], list[str]()
        for _ in range(self.chooser.randrange(12, 49)):
            shape = self.chooser.choice(SHAPES)
            cells.append(self._cell(shape))
            names.append(shape)
        blank = CHARACTERS[" "]
        told = ", ".join(f"{names.count(s)} {s}" for s in SHAPES if s in names)
        return PictureSample(
            picture=things_canvas(cells),
            turns=(Turn(question=DESCRIBE, answer=told),),
            cells=tuple(self.ids[name] for name in names) + (blank,) * (MOST - len(names)),
        )

    def _cell(self, shape: str) -> Image.Image:
        choose = self.chooser
        side = choose.randrange(18, 110)
        across = round(side * choose.uniform(0.75, 1.33))
        colour = choose.choice(list(COLOURS.values()))
        near = tuple(min(255, max(0, value + choose.randrange(-30, 31))) for value in colour)
        ground = choose.choice(((255, 255, 255), (245, 245, 240), (230, 236, 245), (40, 42, 48)))
        picture = Image.new("RGB", (across + 16, side + 16), ground)
        box = (8, 8, 8 + across, 8 + side)
        paint(ImageDraw.Draw(picture), shape, box, (near[0], near[1], near[2]))
        jitter = [choose.gauss(0, 0.02) for _ in range(4)]
        return cell_of(
            picture,
            (
                round(8 + across * jitter[0]),
                round(8 + side * jitter[1]),
                round(9 + across + across * jitter[2]),
                round(9 + side + side * jitter[3]),
            ),
        )
