"""Training rows by number, read from the shards as they are needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Batch = tuple[Tensor, Tensor, Tensor]


def as_batch(tokens: NDArray[np.uint16], weights: NDArray[np.uint8], device: torch.device) -> Batch:
    """Inputs, targets (int64) and weights (0 to 1), each [B, T], on the device."""
    ids = torch.from_numpy(tokens.astype(np.int64)).to(device)
    return ids[:, :-1], ids[:, 1:], torch.from_numpy(weights).to(device).float() / 100


class RowStore:
    """Rows of one split, all shards in a row; begins anew, in another order, after the last.

    Shards that are added while training runs are met when their turn comes.
    """

    def __init__(self, folder: Path, split: str) -> None:
        """Read the first shard. Raises FileNotFoundError where there is none."""
        self._folder, self._split = folder, split
        self._number, self._epoch = -1, -1
        self._load(0, 0)

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._split}-{number:04d}.npz"

    def _load(self, number: int, epoch: int) -> None:
        if (number, epoch) == (self._number, self._epoch):
            return
        with np.load(self._path(number)) as shard:
            self._tokens, self._weights = shard["tokens"], shard["weights"]
        self._order = np.random.default_rng(epoch * 7919 + number).permutation(len(self._tokens))
        self._number, self._epoch = number, epoch

    def batch(self, first_row: int, rows: int, device: torch.device) -> Batch:
        """Rows `first_row` to `first_row + rows`, which must not cross the end of a shard."""
        size = len(self._tokens)
        shards = len(sorted(self._folder.glob(f"{self._split}-*.npz")))
        position = first_row // size
        self._load(position % shards, position // shards)
        at = first_row % size
        chosen = self._order[at : at + rows]
        assert len(chosen) == rows, "rows of one item cross a shard's end"
        return as_batch(self._tokens[chosen], self._weights[chosen], device)
