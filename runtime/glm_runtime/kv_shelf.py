"""The conversations whose keys and values are kept beside each other, and which one a prompt gets.

Several documents or editors take turns at one model: each finds what it computed last time. A
prompt that begins like another conversation shares its pages (`NativeStore.fork`) and computes
the rest. Bounded by count and by free pages; the least recently used goes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glm_runtime.kv_cache import KVCache
from glm_runtime.native.engine_library import PAGE
from glm_runtime.native.native_model import NativeModel, NativeStore

if TYPE_CHECKING:
    from glm_runtime.lora_weights import LoraWeights

MOST = 64  # conversations
_OWN = 0.5  # share of a conversation that must be kept for it to be the same one, gone on


class KVShelf:
    """Most recently used first. An adapter's conversations are met by that adapter alone."""

    def __init__(self, model: NativeModel) -> None:
        self._model = model
        self._held: list[tuple[LoraWeights | None, KVCache]] = []

    def __len__(self) -> int:
        return len(self._held)

    def take(self, prompt: Sequence[int], lora: LoraWeights | None) -> KVCache:
        """The cache to compute a prompt in, at the front from now on."""
        common, best = 0, -1
        for place, (owner, cache) in enumerate(self._held):
            if owner is lora and (shared := _common(cache.tokens, prompt)) > common:
                common, best = shared, place
        if best >= 0 and common >= _OWN * len(self._held[best][1].tokens):
            cache = self._held.pop(best)[1]
        else:
            cache = self._new(lora, None if best < 0 else self._held[best][1], common)
        self._held.insert(0, (lora, cache))
        self._make_room(len(prompt) - common)
        return cache

    def forget_others(self) -> bool:
        """Drop all but the front; False where there was nothing to drop."""
        dropped = self._held[1:]
        for _, cache in dropped:
            cache.clear()
        del self._held[1:]
        return bool(dropped)

    def _new(self, lora: LoraWeights | None, like: KVCache | None, common: int) -> KVCache:
        if like is None or common < PAGE:
            return KVCache(self._model.new_store(lora))
        assert isinstance(like.store, NativeStore)
        cache = KVCache(like.store.fork(common))
        cache.tokens = like.tokens[:common]
        return cache

    def _make_room(self, tokens: int) -> None:
        """Free pages for a prompt's new tokens and an answer."""
        needed = min((tokens + 512) // PAGE + 2, self._model.pool.pages)
        while len(self._held) > 1 and (len(self._held) > MOST or self._model.pool.free < needed):
            self._held.pop()[1].clear()


def _common(tokens: Sequence[int], prompt: Sequence[int]) -> int:
    for place, (mine, theirs) in enumerate(zip(tokens, prompt, strict=False)):
        if mine != theirs:
            return place
    return min(len(tokens), len(prompt))
