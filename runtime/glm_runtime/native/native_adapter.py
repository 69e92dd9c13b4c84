"""Adapters in the native engine: their matrices in the order of the packed ones, by number.

The engine adds b (a x) to a projection for the rows whose store names the adapter, in float32.
Pairs of q, k and v become one pair of the stacked projection, gate and up likewise; b is zero
where they do not meet.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glm_runtime.native.native_loading import (
    DOWN,
    GATE_UP,
    OUT,
    PANEL,
    QKV,
    Targets,
    gate_rows,
    head_rows,
)
from glm_runtime.native.native_shape import NativeShape

if TYPE_CHECKING:
    from glm_runtime.lora_weights import LoraPair, LoraWeights

Floats = NDArray[np.float32]
Piece = tuple["LoraPair", Targets, int]  # pair, packed rows, first row of the pair's b


class NativeAdapters:
    """The adapters that one model holds; one that nobody uses any more is freed."""

    def __init__(self, library: ctypes.CDLL, handle: int, shape: NativeShape) -> None:
        self._library = library
        self._handle = handle
        self._shape = shape
        self._numbers: weakref.WeakKeyDictionary[LoraWeights, int] = weakref.WeakKeyDictionary()

    def number_of(self, lora: LoraWeights) -> int:
        """Number of an adapter in the engine, loaded on first use. Raises ModelUnusable."""
        if lora in self._numbers:
            return self._numbers[lora]
        lora.check_fits(self._linear_shapes())
        number = int(self._library.glm_adapter_new(self._handle))
        if number < 0:
            raise MemoryError("no memory for the adapter")
        self._numbers[lora] = number
        # A store that names it is kept with the adapter by whoever asked for it.
        weakref.finalize(lora, _free, weakref.ref(self), number).atexit = False
        for layer in range(self._shape.layers):
            for place, width, rows, pieces in self._places(lora, layer):
                if pieces:
                    self._set(number, layer, place, width, rows, pieces)
        return number

    def free(self, number: int) -> None:
        """Give its memory back; no store may name it any more."""
        self._library.glm_adapter_free(self._handle, number)

    def _linear_shapes(self) -> dict[str, tuple[int, int]]:
        shape = self._shape
        queries, keys, hidden = shape.query_columns, shape.key_columns, shape.hidden
        layer = {
            "self_attn.q_proj": (queries, hidden),
            "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden),
            "self_attn.o_proj": (hidden, queries),
            "mlp.down_proj": (hidden, shape.forward),
        }
        if shape.family.fused_gate:
            layer["mlp.gate_up_proj"] = (2 * shape.forward, hidden)
        else:
            layer |= {f"mlp.{name}_proj": (shape.forward, hidden) for name in ("gate", "up")}
        return {
            f"model.layers.{index}.{name}": size
            for index in range(shape.layers)
            for name, size in layer.items()
        }

    def _places(self, lora: LoraWeights, layer: int) -> list[tuple[int, int, int, list[Piece]]]:
        """(place, input columns, packed rows, pieces) of each projection of a layer."""
        shape = self._shape
        queries, keys, hidden = shape.query_columns, shape.key_columns, shape.hidden
        every = np.arange(hidden, dtype=np.int32)
        gate, up = gate_rows(shape, up=False), gate_rows(shape, up=True)
        values = np.arange(queries + keys, queries + 2 * keys, dtype=np.int32)
        named: list[tuple[int, int, int, list[tuple[str, Targets, int]]]] = [
            (QKV, hidden, queries + 2 * keys, [
                ("self_attn.q_proj", head_rows(shape, shape.heads, 0), 0),
                ("self_attn.k_proj", head_rows(shape, shape.key_heads, queries), 0),
                ("self_attn.v_proj", values, 0),
            ]),
            (OUT, queries, hidden, [("self_attn.o_proj", every, 0)]),
            (GATE_UP, hidden, 2 * -(-shape.forward // PANEL) * PANEL, [
                ("mlp.gate_up_proj", gate, 0), ("mlp.gate_up_proj", up, shape.forward),
                ("mlp.gate_proj", gate, 0), ("mlp.up_proj", up, 0),
            ]),
            (DOWN, shape.forward, hidden, [("mlp.down_proj", every, 0)]),
        ]  # fmt: skip
        return [
            (place, width, rows, [
                (pair, target, first)
                for name, target, first in pieces
                if (pair := lora.pairs.get(f"model.layers.{layer}.{name}")) is not None
            ])
            for place, width, rows, pieces in named
        ]  # fmt: skip

    def _set(
        self, number: int, layer: int, place: int, width: int, rows: int, pieces: list[Piece]
    ) -> None:
        rank = sum(int(pair.a_RI.shape[0]) for pair, _, _ in pieces)
        columns = -(-width // 64) * 64
        a: Floats = np.zeros((rank, columns), np.float32)
        b: Floats = np.zeros((-(-rows // PANEL) * PANEL, rank), np.float32)
        at = 0
        for pair, target, first in pieces:
            end = at + int(pair.a_RI.shape[0])
            a[at:end, :width] = np.asarray(pair.a_RI, np.float32)
            b[target, at:end] = np.asarray(pair.b_OR, np.float32)[first : first + len(target)]
            at = end
        status = self._library.glm_adapter_set(
            *(self._handle, number, layer, place, rank), columns, a.ctypes.data, b.ctypes.data
        )
        if status != 0:
            raise MemoryError("no memory for the adapter, or its rank is over 1024")


def _free(adapters: weakref.ref[NativeAdapters], number: int) -> None:
    """Unless the model went first, which freed them all."""
    if (held := adapters()) is not None:
        held.free(number)
