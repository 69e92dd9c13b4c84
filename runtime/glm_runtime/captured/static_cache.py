"""Keys and values in tensors that never move: one slot for each conversation, all made at once.

Graphs write and read at fixed addresses, so nothing grows here. A slot more than is handed out
stands at the end: rows that only fill a batch up write there.

Legend: C slots, K key heads, T positions, S head size.
"""

from __future__ import annotations

import weakref

import torch

from glm_runtime.lora_weights import LoraWeights


class StaticCache:
    """`keys` and `values`: one [C + 1, K, T, S] a layer."""

    def __init__(
        self,
        *,
        layers: int,
        slots: int,
        key_heads: int,
        positions: int,
        head_size: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        def room() -> list[torch.Tensor]:
            size = (slots + 1, key_heads, positions, head_size)
            return [torch.zeros(size, device=device, dtype=dtype) for _ in range(layers)]

        self.keys, self.values = room(), room()
        self.slots, self.positions = slots, positions
        self._free = list(range(slots - 1, -1, -1))

    @property
    def free(self) -> int:
        return len(self._free)

    @property
    def nbytes(self) -> int:
        return sum(one.nbytes for one in (*self.keys, *self.values))

    def take(self) -> int:
        """Raises MemoryError when every slot is in use."""
        if not self._free:
            raise MemoryError("no slot for keys and values is free")
        return self._free.pop()

    def give_back(self, slots: list[int]) -> None:
        self._free += slots
        slots.clear()

    def move(self, device: torch.device, dtype: torch.dtype) -> None:
        """What was held is not worth moving: conversations must be cleared."""
        self.keys, self.values = (
            [torch.zeros(one.shape, device=device, dtype=dtype) for one in side]
            for side in (self.keys, self.values)
        )

    def copy(self, source: int, target: int, length: int) -> None:
        for whole in (*self.keys, *self.values):
            whole[target, :, :length] = whole[source, :, :length]


class SlotStore:
    """The first `length` tokens of one conversation; it has a slot while it holds any."""

    def __init__(self, cache: StaticCache, lora: LoraWeights | None = None) -> None:
        self._cache = cache
        self.lora = lora
        self.length = 0
        self._slots: list[int] = []
        weakref.finalize(self, cache.give_back, self._slots)

    @property
    def slot(self) -> int:
        """Its own, taken now where it has none. Raises MemoryError."""
        if not self._slots:
            self._slots.append(self._cache.take())
        return self._slots[0]

    def cut(self, length: int) -> bool:
        assert length >= 0, "cut to less than nothing"
        self.length = min(self.length, length)
        if self.length == 0:
            self._cache.give_back(self._slots)
        return True

    def clear(self) -> None:
        self.cut(0)

    def fork(self, length: int) -> SlotStore:
        """A store of the first `length` tokens: a copy. Raises MemoryError."""
        assert length <= self.length
        other = SlotStore(self._cache, self.lora)
        if length:
            self._cache.copy(self.slot, other.slot, length)
            other.length = length
        return other
