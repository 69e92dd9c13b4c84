"""Keys and values of one conversation, kept from one request to the next.

Between keystrokes most of a prompt stays the same: what both begin with is kept, token by token,
and only the rest is computed. Architectures whose cache cannot be cut back (sliding windows,
recurrent states) start anew with each request.

Legend: B batch (1), H heads, T tokens held, N new tokens, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_GROWTH = 512  # tokens by which room is made at least


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A full-attention layer that writes into room made beforehand.

    transformers' own layer copies every key and value with each new token.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.room_keys: torch.Tensor | None = None
        self.room_values: torch.Tensor | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys_BHND and values_BHND; returns views of all T + N."""
        held = self.get_seq_length()
        total = held + key_states.shape[-2]
        self.room_keys = _room(self.room_keys, key_states, held, total)
        self.room_values = _room(self.room_values, value_states, held, total)
        self.room_keys[:, :, held:total] = key_states
        self.room_values[:, :, held:total] = value_states
        self.keys = self.room_keys[:, :, :total]
        self.values = self.room_values[:, :, :total]
        self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
        return self.keys, self.values


def _room(
    room: torch.Tensor | None, states_BHND: torch.Tensor, held: int, total: int
) -> torch.Tensor:
    """A buffer of at least `total` tokens that begins with the `held` ones of `room`."""
    if room is not None and room.shape[-2] >= total:
        return room
    batch, heads, _, size = states_BHND.shape
    tokens = max(total + _GROWTH, 0 if room is None else room.shape[-2] * 3 // 2)
    larger = states_BHND.new_empty((batch, heads, tokens, size))
    if room is not None:
        larger[:, :, :held] = room[:, :, :held]
    return larger


class KVCache:
    """The tokens whose keys and values are held, and the store itself.

    Invariant: `tokens` is what `store` holds, unless a forward failed in between; whoever sees
    it fail must `clear`, since the layers may hold different counts.
    """

    def __init__(self, config: PreTrainedConfig) -> None:
        self._config = config
        self.tokens: list[int] = []
        self.store: Cache = self._new_store()

    @property
    def can_be_cut(self) -> bool:
        return all(type(layer) is GrowingLayer for layer in self.store.layers)

    def keep_common(self, prompt: Sequence[int]) -> int:
        """Keep what `prompt` begins with, but never all of it: the last token's logits are
        wanted. Returns the count kept."""
        limit = min(len(self.tokens), len(prompt) - 1)
        common = 0
        while common < limit and self.tokens[common] == prompt[common]:
            common += 1
        if common < len(self.tokens):
            if common == 0 or not self.can_be_cut:
                self.clear()
                return 0
            self.store.crop(common - len(self.tokens))
            del self.tokens[common:]
        return common

    def clear(self) -> None:
        """Hold nothing; memory goes back."""
        self.tokens = []
        self.store = self._new_store()

    def _new_store(self) -> Cache:
        store = DynamicCache(config=self._config)
        store.layers = [
            GrowingLayer() if type(layer) is DynamicLayer else layer for layer in store.layers
        ]
        return store
