"""Keys and values of the tokens that a model has already seen, for one conversation of a batch.

The reference keeps hidden states and projects them anew at every step; keys and values are kept
here, which differs by at most 1e-5 because of the tensor-wide scale of CogView's LayerNorm.

Legend of the suffixes: B batch, H heads, T tokens so far, N new tokens, C capacity, D head width.
"""

from __future__ import annotations

import torch


class KeyValueCache:
    """Grows by doubling. `length` is the count of tokens held, the same in every layer."""

    def __init__(self, layers: int, *, capacity: int = 256) -> None:
        self._k_BHCD: list[torch.Tensor | None] = [None] * layers
        self._v_BHCD: list[torch.Tensor | None] = [None] * layers
        self._lengths = [0] * layers
        self._capacity = max(capacity, 1)

    @property
    def length(self) -> int:
        """Tokens held by the last layer, which is written last."""
        return self._lengths[-1]

    def append(
        self, layer: int, k_BHND: torch.Tensor, v_BHND: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All keys and values of a layer, the new ones last: views [B, H, T, D]."""
        start = self._lengths[layer]
        end = start + k_BHND.shape[2]
        self._k_BHCD[layer] = k_BHCD = self._room(self._k_BHCD[layer], k_BHND, start, end)
        self._v_BHCD[layer] = v_BHCD = self._room(self._v_BHCD[layer], v_BHND, start, end)
        k_BHCD[:, :, start:end] = k_BHND
        v_BHCD[:, :, start:end] = v_BHND
        self._lengths[layer] = end
        return k_BHCD[:, :, :end], v_BHCD[:, :, :end]

    def expanded(self, batch: int) -> KeyValueCache:
        """A cache of one row, copied to `batch` rows: the prompt is computed once."""
        copy = KeyValueCache(len(self._lengths), capacity=self._capacity)
        copy._lengths = list(self._lengths)
        copy._k_BHCD = [None if k is None else k.expand(batch, -1, -1, -1).clone()
                        for k in self._k_BHCD]  # fmt: skip
        copy._v_BHCD = [None if v is None else v.expand(batch, -1, -1, -1).clone()
                        for v in self._v_BHCD]  # fmt: skip
        return copy

    def _room(
        self, held: torch.Tensor | None, new_BHND: torch.Tensor, start: int, end: int
    ) -> torch.Tensor:
        if held is not None and held.shape[2] >= end:
            return held
        capacity = max(end, self._capacity, 0 if held is None else 2 * held.shape[2])
        batch, heads, _, width = new_BHND.shape
        grown = new_BHND.new_empty((batch, heads, capacity, width))
        if held is not None:
            grown[:, :, :start] = held[:, :, :start]
        return grown
