"""One picture and what is to be said about it: the unit that the trainer packs into rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from glm_vision.pixels import MEAN, STD
from glm_vision.prompt_templates import render
from recipes.nano_vision.fast_forward import NO_SEGMENT
from recipes.nano_vision.tokenizer import EOS, PAD, build, ids_by_character

IGNORED = -100  # target of what is not learnt


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A question and its answer. `spelt` answers are written in single characters alone."""

    question: str
    answer: str
    spelt: bool = False


@dataclass(frozen=True, kw_only=True)
class PictureSample:
    """`cells`, where given, is the token that says what stands in each patch: the character, the
    number of the box that covers it, the kind of shape. Learnt by the tower alone, at every patch,
    it teaches seeing long before the language part can ask for it."""

    picture: Image.Image  # RGB, of the model's size
    turns: tuple[Turn, ...]
    cells: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Tensors of one step. B rows, T text tokens, N patches."""

    pixels_B3SS: Tensor
    tokens_BT: Tensor
    targets_BT: Tensor
    segments_BT: Tensor
    starts_BT: Tensor
    cells_BN: Tensor


CHARACTERS = ids_by_character()


def spelt_cells(text: str) -> tuple[int, ...]:
    """One character a patch."""
    return tuple(CHARACTERS[character] for character in text)


class Packer:
    """Samples to tensors."""

    def __init__(self, length: int, patches: int) -> None:
        """`length` text tokens a row; a question that no longer fits is left out."""
        self.length, self.patches = length, patches
        self.tokenizer = build()
        self.prompts: dict[str, list[int]] = {}

    def prompt(self, question: str) -> list[int]:
        """The rendered question's ids."""
        if question not in self.prompts:
            text = render("chat", question)
            self.prompts[question] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return self.prompts[question]

    def answer(self, turn: Turn) -> list[int]:
        """Ids with the end."""
        if turn.spelt:
            return [*spelt_cells(turn.answer), EOS]
        return [*self.tokenizer.encode(turn.answer, add_special_tokens=False).ids, EOS]

    def batch(self, samples: Sequence[PictureSample]) -> Batch:
        """Rows in the order of the samples."""
        B, T = len(samples), self.length
        tokens = np.full((B, T), PAD, dtype=np.int64)
        targets = np.full((B, T), IGNORED, dtype=np.int64)
        segments = np.full((B, T), NO_SEGMENT, dtype=np.int64)
        starts = np.zeros((B, T), dtype=np.int64)
        cells = np.full((B, self.patches), IGNORED, dtype=np.int64)
        for row, sample in enumerate(samples):
            at = 0
            for number, turn in enumerate(sample.turns):
                question, answer = self.prompt(turn.question), self.answer(turn)
                whole = [*question, *answer[:-1]]
                if at + len(whole) > T:
                    continue
                end = at + len(whole)
                tokens[row, at:end] = whole
                targets[row, at + len(question) - 1 : end] = answer
                segments[row, at:end] = number
                starts[row, at:end] = np.arange(len(whole))
                at = end
            if sample.cells is not None:
                cells[row] = sample.cells
        colours = np.stack([np.asarray(sample.picture) for sample in samples])
        pixels = torch.from_numpy(colours).permute(0, 3, 1, 2).float() / 255
        mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
        return Batch(
            pixels_B3SS=((pixels - mean) / std).contiguous(),
            tokens_BT=torch.from_numpy(tokens),
            targets_BT=torch.from_numpy(targets),
            segments_BT=torch.from_numpy(segments),
            starts_BT=torch.from_numpy(starts),
            cells_BN=torch.from_numpy(cells),
        )
