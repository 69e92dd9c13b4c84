"""llama.cpp through llama-cpp-python's C functions; a keystroke through its class `Llama`.

`rows` is one llama_decode for all sequences, which is what llama.cpp's server does for its slots,
less HTTP and sampling: the fastest that server could be.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp as api  # type: ignore[import-not-found, unused-ignore]
import numpy as np

SLOTS = 8


class Player:
    def __init__(self, model: str, threads: int) -> None:
        self._threads = threads
        self._file = model
        self.weight_bytes = Path(model).stat().st_size
        api.llama_backend_init()
        self._quiet = api.llama_log_callback(lambda *_: None)
        api.llama_log_set(self._quiet, ctypes.c_void_p(0))
        self._model: Any = api.llama_model_load_from_file(
            model.encode(), api.llama_model_default_params()
        )
        if not self._model:
            raise ValueError("llama.cpp cannot read the file")
        self._vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self._model))
        asked = api.llama_context_default_params()
        asked.n_ctx, asked.n_batch, asked.n_ubatch = 4096, 2048, 512
        asked.n_seq_max = SLOTS + 1
        asked.kv_unified = True
        asked.n_threads = asked.n_threads_batch = threads
        self._context: Any = api.llama_init_from_model(self._model, asked)
        self._memory = api.llama_get_memory(self._context)
        self._batch = api.llama_batch_init(2048, 0, SLOTS + 1)
        self._length = 0
        self._high: Any = None

    def _decode(self, tokens: Sequence[tuple[int, int, int, bool]]) -> None:
        """Each token with its position, its sequence, and whether logits are wanted."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for place, (token, position, sequence, wanted) in enumerate(tokens):
            batch.token[place], batch.pos[place] = token, position
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, sequence
            batch.logits[place] = wanted
        if api.llama_decode(self._context, batch) != 0:
            raise RuntimeError("llama_decode failed")

    def _best(self, place: int = -1) -> int:
        logits = api.llama_get_logits_ith(self._context, place)
        return int(np.ctypeslib.as_array(logits, (self._vocabulary,)).argmax())

    def prefill(self, tokens: Sequence[int]) -> float:
        api.llama_memory_clear(self._memory, True)
        began = time.perf_counter()
        last = len(tokens) - 1
        self._decode([(token, place, 0, place == last) for place, token in enumerate(tokens)])
        self._best()
        self._length = len(tokens)
        return time.perf_counter() - began

    def steps(self, count: int) -> float:
        began = time.perf_counter()
        token = 1
        for _ in range(count):
            self._decode([(token, self._length, 0, True)])
            self._length += 1
            token = self._best()
        return time.perf_counter() - began

    def wide(self, width: int) -> float:
        began = time.perf_counter()
        self._decode([(token, self._length + token, 0, True) for token in range(width)])
        self._best(width - 1)
        spent = time.perf_counter() - began
        api.llama_memory_seq_rm(self._memory, 0, self._length, -1)
        return spent

    def keystroke(self, prompt: Sequence[int], more: Sequence[int]) -> float:
        if self._high is None:
            self._high = api.Llama(
                self._file, n_ctx=4096, n_batch=512, n_threads=self._threads,
                n_threads_batch=self._threads, verbose=False,
            )  # fmt: skip
        next(self._high.generate(prompt, temp=0.0, top_k=1))
        began = time.perf_counter()
        next(self._high.generate([*prompt, *more], temp=0.0, top_k=1))
        return time.perf_counter() - began

    def rows(self, prompts: Sequence[Sequence[int]], count: int) -> float:
        api.llama_memory_clear(self._memory, True)
        lengths = [len(prompt) for prompt in prompts]
        for row, prompt in enumerate(prompts):
            self._decode([(token, place, row, False) for place, token in enumerate(prompt)])
        last = [1] * len(prompts)
        began = time.perf_counter()
        for step in range(count):
            self._decode(
                [(last[row], length + step, row, True) for row, length in enumerate(lengths)]
            )
            last = [self._best(row) for row in range(len(prompts))]
        return time.perf_counter() - began

    def best(self, tokens: Sequence[int]) -> int:
        self.prefill(tokens)
        return self._best()
