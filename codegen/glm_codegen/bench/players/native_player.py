"""glm-lsp's native engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from glm_runtime.causal_model import RowTokens
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.kv_cache import KVCache
from glm_runtime.native.native_loading import load_native_model, shape_of


class Player:
    def __init__(self, model: str, threads: int) -> None:
        checkpoint = open_checkpoint(Path(model))
        shape = shape_of(checkpoint)
        if shape is None:
            raise ValueError("the native engine does not compute this architecture")
        self._model = load_native_model(checkpoint, shape)
        self._model.use_threads(threads)
        self.weight_bytes = self._model.weight_bytes
        self._store = self._model.new_store()

    def prefill(self, tokens: Sequence[int]) -> float:
        self._store.clear()
        began = time.perf_counter()
        self._model.forward(tokens, self._store)
        return time.perf_counter() - began

    def steps(self, count: int) -> float:
        began = time.perf_counter()
        token = 1
        for _ in range(count):
            token = int(self._model.forward([token], self._store).argmax())
        return time.perf_counter() - began

    def wide(self, width: int) -> float:
        """A step of so many tokens with logits after each, and back."""
        held = self._store.length
        row = RowTokens(store=self._store, tokens=list(range(width)), wanted=width)
        began = time.perf_counter()
        self._model.forward_rows([row])
        spent = time.perf_counter() - began
        self._store.cut(held)
        return spent

    def keystroke(self, prompt: Sequence[int], more: Sequence[int]) -> float:
        """First token of a prompt that is the last one and some more."""
        cache = KVCache(self._store)
        self._store.clear()
        self._model.forward(prompt, self._store)
        cache.tokens = list(prompt)
        whole = [*prompt, *more]
        began = time.perf_counter()
        kept = cache.keep_common(whole)
        self._model.forward(whole[kept:], self._store).argmax()
        return time.perf_counter() - began

    def rows(self, prompts: Sequence[Sequence[int]], count: int) -> float:
        """Steps of all rows together, after their prompts."""
        stores = [self._model.new_store() for _ in prompts]
        for prompt, store in zip(prompts, stores, strict=True):
            self._model.forward(prompt, store)
        began = time.perf_counter()
        last = [1] * len(stores)
        for _ in range(count):
            pairs = zip(stores, last, strict=True)
            rows = [RowTokens(store=store, tokens=[token]) for store, token in pairs]
            last = [int(logits[0].argmax()) for logits in self._model.forward_rows(rows)]
        return time.perf_counter() - began

    def best(self, tokens: Sequence[int]) -> int:
        self._store.clear()
        return int(self._model.forward(tokens, self._store).argmax())
