"""What the decode loop asks of a model, whichever code computes it. Knows tokens, not text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from glm_runtime.lora_weights import LoraWeights

Logits: TypeAlias = Any  # a float32 numpy array of the native engine, or a tensor of torch


def as_array(logits: Logits) -> NDArray[np.float32]:
    """Logits of either kind as numpy's; imports no torch."""
    if not isinstance(logits, np.ndarray):
        logits = logits.detach().float().cpu().numpy()
    return np.asarray(logits, np.float32)


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

    def forward(self, tokens: Sequence[int], store: KVStore) -> Logits:
        """Append tokens to what `store` holds; logits_V after the last of them.

        When it raises, the store may be in any state and must be cleared.
        """
        ...

    def use_threads(self, count: int) -> None:
        """Compute with so many threads of the CPU from now on."""
        ...

    def move(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move the weights. Stores that are in use must be cleared."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class RowTokens:
    """Tokens to append to one store; logits are wanted after the last `wanted` of them."""

    store: Any  # of the model that computes it
    tokens: Sequence[int]
    wanted: int = 1


class BatchedModel(CausalModel, Protocol):
    """A model that computes many conversations in one forward, for the same bits as alone."""

    @property
    def most_rows(self) -> int:
        """Conversations that may be at work at once."""
        ...

    def forward_rows(self, rows: Sequence[RowTokens]) -> list[Logits]:
        """For each row logits [wanted, V].

        Raises MemoryError where pages or room are missing: nothing was appended then.
        """
        ...
