"""The conversations whose keys and values are kept beside each other, and which one a prompt gets.

Several documents and editors are at work or take turns: each finds what it computed last time. A
prompt that begins like another conversation shares its pages, the partly filled last one too
(`fork`; whoever writes first gets a copy), so the pages of all conversations are one tree of
prefixes: a page with several holders is a branch's beginning. Only conversations of the same
tenant and the same adapter meet, so that nobody can time a stranger's prompt.

What is not held may lie on disk (`kv_on_disk.py`), for the nameless tenant alone, who is the user
of this machine: it is looked for where a beginning is to be computed.

A conversation at work is never cut or dropped by another. A new one is admitted when the pages
that all of them may still need are there: idle ones go for it, least recently used first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glm_protocol.errors import EngineFailed
from glm_runtime.causal_model import CausalModel
from glm_runtime.kv_cache import KVCache, common_length
from glm_runtime.kv_on_disk import SavedPrefixes
from glm_runtime.native.engine_library import PAGE

if TYPE_CHECKING:
    from glm_runtime.lora_weights import LoraWeights

MOST = 64  # conversations with pages
_OWN = 0.5  # share of a conversation that must be kept for it to be the same one, gone on


class NoRoomNow(Exception):
    """Others at work hold the memory for keys and values: to be tried again when one ended."""


@dataclass(kw_only=True, slots=True)
class _Kept:
    """`most`: tokens that it may come to hold while it is at work; None while it is idle."""

    tenant: str
    lora: LoraWeights | None
    cache: KVCache
    most: int | None = None

    @property
    def growth(self) -> int:
        """Pages it may still take; one more, where a shared last page has to be copied."""
        if self.most is None:
            return 0
        return max(0, -(-self.most // PAGE) + 1 - len(self.cache.store.pages))  # type: ignore[attr-defined]


class KVShelf:
    """Most recently used first. `rows`: conversations that may be at work at once."""

    def __init__(
        self, model: CausalModel, *, rows: int, saved: SavedPrefixes | None = None
    ) -> None:
        self._model: Any = model
        self._saved = saved
        self._pool = getattr(model, "pool", None)  # without one a conversation has its own memory
        self._bound = rows if self._pool is None else MOST
        self._held: list[_Kept] = []

    def __len__(self) -> int:
        return len(self._held)

    @property
    def at_work(self) -> int:
        return sum(kept.most is not None for kept in self._held)

    def take(
        self, prompt: Sequence[int], lora: LoraWeights | None, *, tenant: str, most: int
    ) -> KVCache:
        """A cache that holds a beginning of the prompt, at work until `give_back` or `drop`.

        Raises ModelUnusable for an adapter that does not fit, NoRoomNow, or EngineFailed for a
        request that would find no room on an empty shelf either.
        """
        kept = self._choose(prompt, lora, tenant)
        kept.most = most
        kept.cache.keep_common(prompt)
        self._held.insert(0, kept)
        if not self._make_room():
            kept.most = None
            if not kept.cache.tokens or not self.at_work:
                self.drop(kept.cache)
            if self.at_work:
                raise NoRoomNow
            raise EngineFailed(
                "There is not enough memory for keys and values of so long a request.",
                remedy="Send less text, or close other programs and restart.",
            )
        if self._saved is not None and not tenant:
            self._saved.recall(kept.cache, prompt, lora)
        return kept.cache

    def save(self, least: int) -> None:
        """Write what is idle and at least so many tokens long to disk, if there is a place."""
        if self._saved is not None:
            self._saved.keep(
                (kept.cache, kept.lora)
                for kept in self._held
                if not kept.tenant and kept.most is None and len(kept.cache.tokens) >= least
            )

    def give_back(self, cache: KVCache) -> None:
        """It is at work no more; what it holds is kept for a prompt that begins like it."""
        for kept in self._held:
            if kept.cache is cache:
                kept.most = None

    def drop(self, cache: KVCache) -> None:
        """Forget it."""
        cache.clear()
        self._held = [kept for kept in self._held if kept.cache is not cache]

    def forget_idle(self) -> bool:
        """Drop what is not at work; False where there was nothing to drop."""
        idle = [kept for kept in self._held if kept.most is None]
        for kept in idle:
            self.drop(kept.cache)
        return bool(idle)

    def clear(self) -> None:
        """Nothing is held; those at work begin anew."""
        self.forget_idle()
        for kept in self._held:
            kept.cache.clear()

    def _choose(self, prompt: Sequence[int], lora: LoraWeights | None, tenant: str) -> _Kept:
        """Out of the shelf, or new: the best to compute a prompt in."""
        best, common = None, 0
        for kept in self._held:
            if self._pool is None and kept.most is not None:
                continue  # it cannot be shared
            if kept.tenant == tenant and kept.lora is lora:
                shared = common_length(kept.cache.tokens, prompt)
                if shared > common or (shared == common and best and best.most is not None):
                    best, common = kept, shared
        if (
            best is not None
            and best.most is None
            and (
                common >= _OWN * len(best.cache.tokens)
                or (self._pool is None and len(self._held) >= self._bound)
            )
        ):
            self._held.remove(best)
            return best
        cache: KVCache
        if best is not None and self._pool is not None and common >= PAGE:
            cache = KVCache(best.cache.store.fork(common))  # type: ignore[attr-defined]
            cache.tokens = best.cache.tokens[:common]
        else:
            cache = KVCache(self._model.new_store(lora))
        return _Kept(tenant=tenant, lora=lora, cache=cache)

    def _make_room(self) -> bool:
        """Whether all at work may grow as they are allowed to, idle ones going for it."""
        while len(self._held) > self._bound and self._drop_oldest():
            pass
        if self._pool is None:
            return True
        while self._pool.free < sum(kept.growth for kept in self._held):
            if not self._drop_oldest():
                return False
        return True

    def _drop_oldest(self) -> bool:
        for kept in reversed(self._held):
            if kept.most is None:
                self.drop(kept.cache)
                return True
        return False
