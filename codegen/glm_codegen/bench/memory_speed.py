"""How fast this machine reads memory: what bounds a step that reads every weight once."""

from __future__ import annotations

import time

import numpy as np

from glm_runtime.native.engine_library import load_library

MIB = 512  # far more than caches hold


class MemoryReader:
    """Reads the same memory, by so many threads. Raises NoCompiler without the native engine."""

    def __init__(self, threads: int) -> None:
        self._library = load_library()
        self._words = np.ones(MIB << 17, np.uint64)
        self._threads = threads

    def bytes_per_second(self) -> float:
        began = time.perf_counter()
        total = self._library.glm_read(self._words.ctypes.data, len(self._words), self._threads)
        spent = time.perf_counter() - began
        assert total == len(self._words), "memory was not read whole"
        return self._words.nbytes / spent
