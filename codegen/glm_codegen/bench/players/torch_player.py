"""glm-lsp's torch path: GLM by code of its own, everything else by transformers'."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.model_loading import load_model


class Player:
    def __init__(self, model: str, threads: int) -> None:
        torch.set_num_threads(threads)
        placement = choose_placement(device="cpu", dtype=None, accelerator=TorchAccelerator())
        self._model = load_model(open_checkpoint(Path(model)), placement)[0]
        self.weight_bytes = self._model.weight_bytes
        self._store = self._model.new_store()

    def prefill(self, tokens: Sequence[int]) -> float:
        self._store.clear()
        began = time.perf_counter()
        self._model.forward(tokens, self._store)
        return time.perf_counter() - began

    def steps(self, count: int) -> float:
        began = time.perf_counter()
        for number in range(count):
            self._model.forward([number % 100], self._store)
        return time.perf_counter() - began

    def wide(self, width: int) -> float:
        began = time.perf_counter()
        self._model.forward(list(range(width)), self._store)
        return time.perf_counter() - began

    def keystroke(self, prompt: Sequence[int], more: Sequence[int]) -> float:
        self._store.clear()
        self._model.forward(prompt, self._store)
        began = time.perf_counter()
        self._model.forward(more, self._store).argmax()
        return time.perf_counter() - began

    def rows(self, prompts: Sequence[Sequence[int]], count: int) -> None:  # noqa: ARG002
        return None

    def best(self, tokens: Sequence[int]) -> int:
        self._store.clear()
        return int(self._model.forward(tokens, self._store).argmax())
