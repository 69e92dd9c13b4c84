"""Training rows: several pairs laid end to end, each seeing only itself.

A row is `length` tokens with the number of its pair at every token, so that attention stays inside
a pair, and the places whose next token is to be learnt: those of the answers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from glm_codegen.translation.nano_format import NanoTranslateFormat
from recipes.nano_translate.draw import draw_split
from recipes.nano_translate.pairs import Pair, draw_direction, make_pair

STYLED_SHARE = 0.35
PAIRS_OF_A_UNIT = 2  # directions drawn of one unit


@dataclass(frozen=True, kw_only=True)
class Batch:
    """tokens_BT; pair_BT numbers the pairs of a row, 0 is padding; places_K and targets_K."""

    tokens_BT: Tensor
    pair_BT: Tensor
    places_K: Tensor
    targets_K: Tensor
    weights_K: Tensor


def pairs(
    seed: int,
    form: NanoTranslateFormat,
    sizes: tuple[float, float, float],
    *,
    testing: bool = False,
) -> Iterator[Pair]:
    """Pairs without end, the same for the same seed."""
    chance = random.Random(seed)
    while True:
        unit = draw_split(chance, testing=testing, sizes=sizes)
        for source, target in {draw_direction(chance) for _ in range(PAIRS_OF_A_UNIT)}:
            style = None if testing or chance.random() > STYLED_SHARE else chance
            yield make_pair(unit, source, target, form, chance, style)


class Packer:
    """Fills rows with pairs, first fit, from a small stock."""

    def __init__(self, source: Iterator[Pair], *, rows: int, length: int, pad: int) -> None:
        """`rows` rows of `length` tokens a batch."""
        self._source, self._rows, self._length, self._pad = source, rows, length, pad
        self._stock: list[Pair] = []
        self.places = int(rows * length * 0.5)

    def _row(self) -> list[Pair]:
        room, chosen = self._length, list[Pair]()
        while len(self._stock) < 48:
            pair = next(self._source)
            if len(pair.ids) <= self._length:
                self._stock.append(pair)
        for pair in list(self._stock):
            size = len(pair.ids)
            if size <= room:
                chosen.append(pair)
                self._stock.remove(pair)
                room -= size
        return chosen

    def batch(self) -> Batch:
        """The next batch; `places` has a fixed length, so that a compiled graph is reused."""
        tokens = torch.full((self._rows, self._length), self._pad)
        numbers = torch.zeros((self._rows, self._length), dtype=torch.int32)
        places: list[int] = []
        targets: list[int] = []
        for row in range(self._rows):
            at = 0
            for number, pair in enumerate(self._row(), 1):
                ids = pair.ids
                tokens[row, at : at + len(ids)] = torch.tensor(ids)
                numbers[row, at : at + len(ids)] = number
                first = row * self._length + at - 1
                for place, (token, learn) in enumerate(zip(ids, pair.learnt, strict=True)):
                    if learn:
                        places.append(first + place)
                        targets.append(token)
                at += len(ids)
        places, targets = places[: self.places], targets[: self.places]
        missing = self.places - len(places)
        return Batch(
            tokens_BT=tokens,
            pair_BT=numbers,
            places_K=torch.tensor(places + [0] * missing),
            targets_K=torch.tensor(targets + [0] * missing),
            weights_K=torch.tensor([1.0] * len(targets) + [0.0] * missing),
        )
