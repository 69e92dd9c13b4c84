"""Training rows of nano-image's GPT, in CogView's layout.

    [ROI1] text [SMALL] [BOI1] 256 codes [EOI1]          drawing; a tenth has no text, for guidance
    [SMALL] [BOI1] 256 codes [EOI1] [ROI1] text          captioning: the score of a caption

Positions: text counts from 0, the picture from `NanoLayout.image_position` whatever the text's
length, so that a place in the picture always has the same position.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer

from glm_t2i.models.vqvae import VqVae
from glm_t2i.nano_layout import NanoLayout
from recipes.nano_image.captioned import CaptionedPictures
from recipes.nano_image.picture_batches import as_tensor

LENGTH = 276  # ids of a row
TEXT_WEIGHT = {"drawing": 0.05, "captioning": 1.0}
CAPTIONING = 0.12
WITHOUT_TEXT = 0.1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rows:
    """ids, positions int64 [B, T]; weights float [B, T] of each id as a target."""

    ids: torch.Tensor
    positions: torch.Tensor
    weights: torch.Tensor


class RowMaker:
    """Rows from captioned pictures, encoded on the way."""

    def __init__(
        self, vqvae: VqVae, tokenizer: Tokenizer, layout: NanoLayout, *, seed: int
    ) -> None:
        self._vqvae, self._tokenizer, self._layout = vqvae, tokenizer, layout
        self._pictures = CaptionedPictures(seed=seed)
        self._draw = random.Random(seed + 1)

    def next(self, size: int) -> Rows:
        pairs = [self._pictures.next() for _ in range(size)]
        images = as_tensor(np.stack([picture for _, picture in pairs]))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            codes_Bhw = self._vqvae.encode(images)
        rows = [
            self._row(caption, codes_hw.flatten().tolist())
            for (caption, _), codes_hw in zip(pairs, codes_Bhw, strict=True)
        ]
        ids, positions, weights = zip(*rows, strict=True)
        return Rows(
            ids=torch.tensor(ids), positions=torch.tensor(positions), weights=torch.tensor(weights)
        )

    def _row(self, caption: str, codes: list[int]) -> tuple[list[int], list[int], list[float]]:
        layout, kind = self._layout, self._draw.random()
        text = layout.text_ids(self._tokenizer.encode(caption).ids)
        if kind < CAPTIONING:
            ids, positions = layout.caption_sequence(text, codes)
            weight = TEXT_WEIGHT["captioning"]
        else:
            if kind < CAPTIONING + WITHOUT_TEXT:
                text = []
            ids, positions = layout.drawing_sequence(text, codes)
            weight = TEXT_WEIGHT["drawing"]
        weights = [1.0 if token in layout.ids.codes else weight for token in ids]
        spare = LENGTH - len(ids)
        ids = (ids + [layout.ids.command("[PAD]")] * spare)[:LENGTH]
        positions = (positions + [0] * spare)[:LENGTH]
        return ids, positions, (weights + [0.0] * spare)[:LENGTH]
