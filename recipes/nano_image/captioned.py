"""Endless pairs of a caption and a picture for the GPT: drawings, and solid icons in a colour.

Icons are those of the names that most packages know, in their filled style: what little training
there is goes to pictures that a person can tell. Not the tokenizer's diet (`picture_batches`).
"""

from __future__ import annotations

import random
import re
from collections import defaultdict

import numpy as np

from glm_t2i.evaluate.drawn_prompts import COLOURS
from recipes.nano_image.drawings import drawing
from recipes.nano_image.icons import Icon, read_icons, tinted

ICON_SHARE = 0.1
NAMES = 100
_SOLID = re.compile(r"fill|solid|@mdi|mdi/svg|ionicons")
_NOT_SOLID = re.compile(r"outline|sharp|bold|24/outline")


class CaptionedPictures:
    """`next` draws from one generator; the same seed gives the same pairs."""

    def __init__(self, *, seed: int) -> None:
        self._cover_NHW, icons = read_icons()
        self.icons = common_icons(icons)
        self._names = sorted(self.icons)
        self._draw = random.Random(seed)

    def next(self) -> tuple[str, np.ndarray]:
        """A caption and uint8 [128, 128, 3]."""
        if self._draw.random() >= ICON_SHARE:
            caption, picture = drawing(self._draw)
            return caption, np.asarray(picture)
        name = self._draw.choice(self._names)
        cover_HW = self._cover_NHW[self._draw.choice(self.icons[name])]
        if self._draw.random() < 0.4:
            return self._draw.choice((f"{name} icon", f"a {name} icon")), (
                tinted(cover_HW, COLOURS["black"])
            )
        colour = self._draw.choice(list(COLOURS))
        words = (f"a {colour} {name} icon", f"{colour} {name} icon", f"{name} icon in {colour}")
        return self._draw.choice(words), tinted(cover_HW, COLOURS[colour])


def common_icons(icons: list[Icon]) -> dict[str, list[int]]:
    """Solid icons of the best known names: name -> indices."""
    found = defaultdict(list)
    for index, icon in enumerate(icons):
        place = f"{icon.package} {icon.file}"
        if icon.common and _SOLID.search(place) and not _NOT_SOLID.search(place):
            found[icon.words].append(index)
    best = sorted(found, key=lambda name: (-len(found[name]), name))[:NAMES]
    return {name: found[name] for name in best}
