"""Reading by the image tower alone: what character stands in each patch.

nano-vision was trained so that the adapter's features, put through the output matrix as if they
were words, name what each patch shows. On pictures laid out by `reading_view`, where a patch is
one character cell, that reads a page in one pass, with no token to decode.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

import torch
from PIL import Image

from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.pixels import pixels_of
from glm_vision.text_tokenizer import TextTokenizer
from glm_vision.vision_model import CellText

CHARACTERS = string.printable[:95]


class ModelCells:
    """`CellReader` of a CogVLM whose tokenizer has one token a character."""

    def __init__(self, model: CogVLMForCausalLM, tokenizer: TextTokenizer) -> None:
        """Raises ValueError where a character is not one token."""
        ids = [tokenizer.encode(character) for character in CHARACTERS]
        if any(len(id_) != 1 for id_ in ids):
            raise ValueError("the tokenizer does not spell in single characters")
        self._model = model
        self._tokenizer = tokenizer
        self._ids = torch.tensor([id_[0] for id_ in ids], device=model.device)

    @torch.inference_mode()
    def name(self, picture: Image.Image, count: int, names: Sequence[str]) -> list[str]:
        """Raises ValueError where a name is not one token of the model."""
        spelt = [self._tokenizer.encode(f" {name}") for name in names]
        if any(len(ids) != 1 for ids in spelt):
            raise ValueError("the model was not taught these names")
        allowed = torch.tensor([ids[0] for ids in spelt], device=self._model.device)
        best = self._logits([picture])[0, :count][:, allowed].argmax(dim=-1)
        return [names[index] for index in best.tolist()]

    @torch.inference_mode()
    def read(self, pictures: Sequence[Image.Image]) -> list[CellText]:
        """One text a picture, as long as it has patches."""
        sure_IT, best_IT = self._logits(pictures)[..., self._ids].softmax(dim=-1).max(dim=-1)
        return [
            CellText(text="".join(CHARACTERS[index] for index in row), sure=tuple(sure))
            for row, sure in zip(best_IT.tolist(), sure_IT.tolist(), strict=True)
        ]

    def _logits(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        """(pictures, patches, vocabulary), borders left out."""
        side = self._model.config.tower.image_size
        pixels = torch.stack([pixels_of(picture, side) for picture in pictures])
        placed = pixels.to(self._model.device, self._model.dtype)
        features_ITD = self._model.model.vision(placed)[:, 1:-1]
        logits_ITV: torch.Tensor = self._model.lm_head(features_ITD).float()
        return logits_ITV
