"""Endless pictures for the tokenizer: half icons in a colour, half drawings.

Held-out icons are never given. A tenth of the pictures are turned or moved off the grid of codes,
so that the code book does not only know edges that lie on it.
"""

from __future__ import annotations

import random

import numpy as np
import torch

from glm_t2i.evaluate.drawn_prompts import COLOURS
from glm_t2i.models.pixels import normalised
from recipes.nano_image.drawings import drawing
from recipes.nano_image.icons import read_icons, tinted


class PictureBatches:
    """Draws from one generator; `state` is its seed and how many batches were given."""

    def __init__(self, *, size: int, seed: int) -> None:
        self._cover_NHW, icons = read_icons()
        self._train = [index for index, icon in enumerate(icons) if not icon.held_out]
        self._held_out = [index for index, icon in enumerate(icons) if icon.held_out]
        self._size = size
        self._draw = random.Random(seed)

    def next(self) -> torch.Tensor:
        """Normalised float32 [size, 3, 128, 128]."""
        pictures = [
            self._icon() if index % 2 else np.asarray(drawing(self._draw)[1])
            for index in range(self._size)
        ]
        return as_tensor(np.stack([self._moved(picture) for picture in pictures]))

    def held_out(self, number: int) -> torch.Tensor:
        """The same held-out icons each time, black on white, normalised."""
        step = max(1, len(self._held_out) // number)
        chosen = self._held_out[::step][:number]
        return as_tensor(np.stack([tinted(self._cover_NHW[i], COLOURS["black"]) for i in chosen]))

    def _icon(self) -> np.ndarray:
        cover = self._cover_NHW[self._draw.choice(self._train)]
        return tinted(cover, self._draw.choice(list(COLOURS.values())))

    def _moved(self, picture: np.ndarray) -> np.ndarray:
        if self._draw.random() < 0.9:
            return picture
        shift = (self._draw.randrange(-8, 9), self._draw.randrange(-8, 9))
        return np.roll(picture, shift, axis=(0, 1))


def as_tensor(pictures_BHWC: np.ndarray) -> torch.Tensor:
    """Pixels 0..255 as the tokenizer wants them."""
    pixels = torch.from_numpy(pictures_BHWC).permute(0, 3, 1, 2).float() / 255
    return normalised(pixels).contiguous(memory_format=torch.channels_last)
