"""What the decode loop asks of a model, whichever code computes it. Knows tokens, not text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from glm_runtime.lora_weights import LoraWeights


class KVStore(Protocol):
    """Keys and values of one conversation, as one model keeps them."""

    def cut(self, length: int) -> bool:
        """Keep the first `length` tokens. False where that cannot be: then nothing is kept."""
        ...

    def clear(self) -> None:
        """Keep nothing; memory goes back."""
        ...


class CausalModel(Protocol):
    """A loaded model. `positions` is what its architecture allows; `stop_ids` are its own."""

    @property
    def vocabulary_size(self) -> int: ...

    @property
    def positions(self) -> int | None: ...

    @property
    def stop_ids(self) -> frozenset[int]: ...

    @property
    def weight_bytes(self) -> int:
        """Memory of the weights; tied ones count once."""
        ...

    def new_store(self, lora: LoraWeights | None = None) -> KVStore:
        """A store whose every forward adds `lora`. Raises ModelUnusable where it does not fit."""
        ...

    def forward(self, tokens: Sequence[int], store: KVStore) -> torch.Tensor:
        """Append tokens to what `store` holds; logits_V after the last of them.

        When it raises, the store may be in any state and must be cleared.
        """
        ...

    def move(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move the weights. Stores that are in use must be cleared."""
        ...
