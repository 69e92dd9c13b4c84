"""A model in the native engine behind `CausalModel`, and the stores that name its pages.

One forward takes tokens of any number of stores at once: `forward_rows` is what a scheduler of
many rows calls, `forward` the case of one. From one thread only.

Legend: V vocabulary.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glm_runtime.causal_model import RowTokens
from glm_runtime.native.engine_library import PAGE, BatchStruct
from glm_runtime.native.page_pool import PagePool

if TYPE_CHECKING:
    import torch

    from glm_runtime.causal_model import KVStore
    from glm_runtime.lora_weights import LoraWeights
    from glm_runtime.native.native_adapter import NativeAdapters
    from glm_runtime.native.native_shape import NativeShape

Logits = NDArray[np.float32]
NO_ADAPTER = -1
MOST_ROWS = 16  # a step of so many costs what the kernels take at once
_ERRORS = {-1: MemoryError("the engine got no memory for this step")}


class NativeStore:
    """The pages that hold the first `length` tokens of one conversation."""

    def __init__(self, pool: PagePool, copy_page: Any, adapter: int = NO_ADAPTER) -> None:
        """`copy_page(source, target)` copies what is in a page."""
        self._pool = pool
        self._copy_page = copy_page
        self.adapter = adapter
        self.length = 0
        self.pages: list[int] = []
        weakref.finalize(self, _release_all, pool, self.pages)

    def cut(self, length: int) -> bool:
        assert length >= 0, "cut to less than nothing"
        self.length = min(self.length, length)
        keep = -(-self.length // PAGE)
        for page in self.pages[keep:]:
            self._pool.release(page)
        del self.pages[keep:]
        return True

    def clear(self) -> None:
        self.cut(0)

    def fork(self, length: int) -> NativeStore:
        """A store of the first `length` tokens that shares their pages with this one."""
        assert length <= self.length
        other = NativeStore(self._pool, self._copy_page, self.adapter)
        for page in self.pages[: -(-length // PAGE)]:
            self._pool.hold(page)
            other.pages.append(page)
        other.length = length
        return other

    def reserve(self, total: int) -> None:
        """Pages for `total` tokens, the one that is written next held by nobody else.

        Raises MemoryError where no page is free; what was kept stays.
        """
        if self.length % PAGE and self._pool.is_shared(self.pages[-1]):
            own = self._pool.take()
            self._copy_page(self.pages[-1], own)
            self._pool.release(self.pages[-1])
            self.pages[-1] = own
        while len(self.pages) * PAGE < total:
            self.pages.append(self._pool.take())


def _release_all(pool: PagePool, pages: list[int]) -> None:
    for page in pages:
        pool.release(page)
    pages.clear()


class NativeModel:
    """The weights, packed for this processor, and the forward."""

    def __init__(
        self, library: ctypes.CDLL, handle: int, shape: NativeShape, *, pages: int
    ) -> None:
        self._library = library
        self._handle = handle
        self.shape = shape
        self.vocabulary_size = shape.vocabulary
        self.positions: int | None = shape.positions
        self.stop_ids = shape.stop_ids
        self.threads = 1
        self.most_rows = MOST_ROWS
        self.adapters: NativeAdapters | None = None
        if library.glm_pages_set(handle, pages) != 0:
            raise MemoryError("no memory for keys and values")
        self.pool = PagePool(pages)
        self.page_bytes = int(library.glm_page_bytes(handle))
        weakref.finalize(self, library.glm_model_free, handle)

    @property
    def handle(self) -> int:
        return self._handle

    @property
    def kernels(self) -> str:
        """The instruction set in use."""
        name: bytes = self._library.glm_model_kernels(self._handle)
        return name.decode()

    @property
    def weight_bytes(self) -> int:
        return int(self._library.glm_weight_bytes(self._handle))

    @property
    def kv_bytes(self) -> int:
        """Of the most pages that were ever held; others take no memory yet."""
        return self.page_bytes * self.pool.most_held

    def use_threads(self, count: int) -> None:
        self.threads = max(1, count)

    def new_store(self, lora: LoraWeights | None = None) -> NativeStore:
        """Raises ModelUnusable for an adapter that does not fit."""
        adapter = NO_ADAPTER
        if lora is not None:
            if self.adapters is None:
                from glm_runtime.native.native_adapter import NativeAdapters

                self.adapters = NativeAdapters(self._library, self._handle, self.shape)
            adapter = self.adapters.number_of(lora)
        return NativeStore(self.pool, self._copy_page, adapter)

    def _copy_page(self, source: int, target: int) -> None:
        self._library.glm_page_copy(self._handle, source, target)

    def copy_pages(self, store: NativeStore, count: int) -> NDArray[np.uint8]:
        """The first `count` pages of a store, [page, byte]."""
        assert count * PAGE <= store.length
        pages = np.empty((count, self.page_bytes), np.uint8)
        for number, page in enumerate(store.pages[:count]):
            ctypes.memmove(pages[number].ctypes.data, self._page_at(page), self.page_bytes)
        return pages

    def append_pages(self, store: NativeStore, pages: NDArray[np.uint8]) -> None:
        """Copy pages behind the whole ones that a store holds.

        Raises MemoryError where no page is free; what was kept stays.
        """
        assert store.length % PAGE == 0
        assert pages.shape[1] == self.page_bytes
        first, total = store.length // PAGE, store.length + len(pages) * PAGE
        store.reserve(total)
        for page, own in zip(np.ascontiguousarray(pages), store.pages[first:], strict=True):
            ctypes.memmove(self._page_at(own), page.ctypes.data, self.page_bytes)
        store.length = total

    def _page_at(self, page: int) -> int:
        return int(self._library.glm_page_at(self._handle, page))

    def move(self, device: torch.device, dtype: torch.dtype) -> None:
        raise NotImplementedError(f"the native engine stays on the CPU, asked for {device} {dtype}")

    def forward(self, tokens: Sequence[int], store: KVStore) -> Logits:
        """Append tokens to what `store` holds; logits_V after the last of them."""
        assert isinstance(store, NativeStore)
        logits_V: Logits = self.forward_rows([RowTokens(store=store, tokens=tokens)])[0][0]
        return logits_V

    def forward_rows(self, rows: Sequence[RowTokens]) -> list[Logits]:
        """One step of many conversations; for each row logits [wanted, V].

        Raises MemoryError where pages or room are missing: nothing was appended then.
        """
        counts = [len(row.tokens) for row in rows]
        total = sum(counts)
        for row, count in zip(rows, counts, strict=True):
            row.store.reserve(row.store.length + count)
        ids = np.fromiter((token for row in rows for token in row.tokens), np.int32, total)
        positions = np.concatenate(
            [
                np.arange(row.store.length, row.store.length + count, dtype=np.int32)
                for row, count in zip(rows, counts, strict=True)
            ]
        )
        sequence = np.repeat(np.arange(len(rows), dtype=np.int32), counts)
        stride = max(len(row.store.pages) for row in rows)
        pages = np.zeros((len(rows), stride), np.int32)
        for number, row in enumerate(rows):
            pages[number, : len(row.store.pages)] = row.store.pages
        adapter = np.array([row.store.adapter for row in rows], np.int32)
        ends = np.cumsum(counts)
        output = np.concatenate(
            [
                np.arange(end - row.wanted, end, dtype=np.int32)
                for end, row in zip(ends, rows, strict=True)
            ]
        )
        logits = np.empty((len(output), self.vocabulary_size), np.float32)
        batch = BatchStruct(
            tokens=total,
            sequences=len(rows),
            outputs=len(output),
            threads=self.threads,
            ids=ids.ctypes.data,
            positions=positions.ctypes.data,
            sequence=sequence.ctypes.data,
            pages=pages.ctypes.data,
            page_stride=stride,
            output=output.ctypes.data,
            adapter=adapter.ctypes.data,
            logits=logits.ctypes.data,
        )
        status = self._library.glm_forward(self._handle, ctypes.byref(batch))
        if status != 0:
            raise _ERRORS.get(status, ValueError(f"the engine refused the step ({status})"))
        answers: list[Logits] = []
        first = 0
        for row, count in zip(rows, counts, strict=True):
            row.store.length += count
            answers.append(logits[first : first + row.wanted])
            first += row.wanted
        return answers
