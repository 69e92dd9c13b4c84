"""A checkpoint becomes a `NativeModel`: sizes, weights by name into packed matrices, pages.

Quantised weights keep their integers; floats are rounded to int8 by groups of 64 (or int4 by
groups of 32 where that is asked for, embedding and output layer staying int8).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glm_protocol.errors import ModelUnusable
from glm_runtime.checkpoint import Checkpoint
from glm_runtime.free_memory import free_cpu_bytes
from glm_runtime.native.engine_library import PAGE, ShapeStruct, chosen_kernels, load_library
from glm_runtime.native.native_model import NativeModel
from glm_runtime.native.native_shape import NativeShape, native_shape
from glm_runtime.native.native_weights import NativeTensor, native_tensors

EMBEDDING, HEAD = -1, -2
QKV, OUT, GATE_UP, DOWN = range(4)
NORM_1, NORM_2, BIAS_QKV, BIAS_OUT, NORM_Q, NORM_K, POST_1, POST_2 = range(8)
PANEL = 16
# Parameters above which activations are rounded to int8 once. Below, their rounding error is
# carried as a second term: measured on nano-code, the best token then is float32's more often
# (see the docs). It doubles the work of a prefill, which a model this small can bear.
ONE_TERM_ABOVE = 32_000_000
# Memory for keys and values: a share of what is free, at least for one whole context.
_KV_SHARE, _KV_LEAST, _KV_MOST = 0.2, 64 << 20, 4 << 30

Targets = NDArray[np.int32]


def head_order(shape: NativeShape) -> Targets:
    """Place of each column of a head: rotary pairs that stand beside each other come apart."""
    order = np.arange(shape.head_size, dtype=np.int32)
    if shape.family.interleaved:
        half = shape.rotary // 2
        order[0 : shape.rotary : 2] = np.arange(half)
        order[1 : shape.rotary : 2] = np.arange(half) + half
    return order


def head_rows(shape: NativeShape, heads: int, first: int) -> Targets:
    """Packed row of each row of a projection to `heads` heads that begins at row `first`."""
    starts = first + np.arange(heads, dtype=np.int32)[:, None] * shape.head_size
    return (starts + head_order(shape)).reshape(-1).astype(np.int32)


def gate_rows(shape: NativeShape, *, up: bool) -> Targets:
    """Panels of gate and up stand in turn, so that one thread has both of a column."""
    row = np.arange(shape.forward, dtype=np.int32)
    return (row // PANEL * 2 * PANEL + row % PANEL + (PANEL if up else 0)).astype(np.int32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Rows of one tensor that go to some rows of a packed matrix."""

    name: str
    target: Targets
    first: int = 0  # row of the tensor
    total: int | None = None  # rows that the tensor must have; None: as many as `target`


class _Packing:
    """Takes weights out of `tensors` into the engine, so that what is left over is unexpected."""

    def __init__(
        self, library: ctypes.CDLL, handle: int, checkpoint: Checkpoint, bits: int | None
    ) -> None:
        self._library = library
        self._handle = handle
        self._checkpoint = checkpoint
        self._bits = bits
        self.tensors = native_tensors(checkpoint.shards)
        self.used: set[str] = set()

    def _take(self, name: str, shape: tuple[int, ...]) -> NativeTensor:
        tensor = self.tensors.get(name)
        if tensor is None:
            self._checkpoint.compare_names(missing={name}, unexpected=())
            raise AssertionError
        found = (tensor.rows, tensor.columns) if tensor.values.ndim == 2 else tensor.values.shape
        if tuple(found) != shape:
            raise ModelUnusable(
                f"The weights in {self._checkpoint.folder} do not fit their config.json ({name} is"
                f" {tuple(found)}, not {shape})."
            )
        self.used.add(name)
        return tensor

    def matrix(self, layer: int, place: int, rows: int, columns: int, parts: list[Part]) -> None:
        """One packed matrix of `rows` rows."""
        taken = [
            (part, self._take(part.name, (part.total or len(part.target), columns)))
            for part in parts
        ]
        bits, group = self._format(taken[0][1], layer)
        if self._library.glm_matrix_new(self._handle, layer, place, rows, columns, bits, group):
            raise MemoryError("no memory for the weights")
        for part, whole in taken:
            tensor = whole.part(part.first, part.first + len(part.target))
            values = np.ascontiguousarray(tensor.values)
            scale = None if tensor.scale is None else np.ascontiguousarray(tensor.scale)
            failed = self._library.glm_matrix_pack(
                *(self._handle, layer, place, tensor.rows, columns),
                part.target.ctypes.data,
                tensor.kind,
                values.ctypes.data,
                None if scale is None else scale.ctypes.data,
                tensor.groups,
            )
            if failed:
                raise MemoryError("no memory for the weights")
        for _, whole in taken:
            whole.release()

    def _format(self, tensor: NativeTensor, layer: int) -> tuple[int, int]:
        """(bits, group): the stored ones where the kernels have them."""
        stored = {"I8": 8, "U8": 4}.get(tensor.dtype)
        bits = stored or 8
        if self._bits is not None and layer >= 0:
            bits = self._bits
        if stored == bits:
            size = tensor.columns // tensor.groups
            return bits, 64 if size % 64 == 0 else 32 if size % 32 == 0 else 64
        return bits, 64 if bits == 8 else 32

    def vector(
        self, layer: int, which: int, name: str, count: int, target: Targets | None = None
    ) -> None:
        values = self._take(name, (count,)).floats()
        self.set_vector(layer, which, values if target is None else _placed(values, target))

    def set_vector(self, layer: int, which: int, values: NDArray[np.float32]) -> None:
        values = np.ascontiguousarray(values, np.float32)
        if self._library.glm_vector_set(
            self._handle, layer, which, values.ctypes.data, len(values)
        ):
            raise MemoryError("no memory for the weights")

    def floats(self, name: str, count: int) -> NDArray[np.float32]:
        return self._take(name, (count,)).floats()


def _placed(values: NDArray[np.float32], target: Targets) -> NDArray[np.float32]:
    placed = np.zeros_like(values)
    placed[target] = values
    return placed


def load_native_model(
    checkpoint: Checkpoint, shape: NativeShape, *, bits: int | None = None
) -> NativeModel:
    """`bits`: of the layers' matrices, None: as stored. Raises ModelUnusable, or NoCompiler."""
    library = load_library()
    free = free_cpu_bytes()
    needed = checkpoint.parameters * (bits or 8) // 8
    if needed > 0.8 * free:
        raise ModelUnusable(
            f"{checkpoint.folder} needs {needed / 1e9:.1f} GB of memory;"
            f" {0.8 * free / 1e9:.1f} GB may be used.",
            remedy="Close other programs, or choose a smaller or a quantised model.",
        )
    raw = ShapeStruct(
        **{name: getattr(shape, name) for name in ("layers", "hidden", "heads", "key_heads")},
        **{name: getattr(shape, name) for name in ("head_size", "forward", "rotary", "epsilon")},
        vocabulary=shape.vocabulary,
        terms=1 if checkpoint.parameters > ONE_TERM_ABOVE else 2,
        attention_scale=shape.attention_scale,
        embedding_scale=shape.embedding_scale,
        residual_scale=shape.residual_scale,
        logit_scale=shape.logit_scale,
        rotary_scale=1.0,
    )
    handle = library.glm_model_new(
        ctypes.byref(raw), chosen_kernels(library), shape.frequency.ctypes.data
    )
    if not handle:
        raise MemoryError("no memory for the model")
    try:
        _fill(_Packing(library, handle, checkpoint, bits), shape, library, handle)
        page_bytes = int(library.glm_page_bytes(handle))
        budget = min(max(int(free * _KV_SHARE), _KV_LEAST), _KV_MOST)
        pages = max(budget // page_bytes, -(-min(shape.positions, 8192) // PAGE) + 1)
        return NativeModel(library, handle, shape, pages=int(pages))
    except BaseException:
        library.glm_model_free(handle)
        raise


def _fill(pack: _Packing, shape: NativeShape, library: ctypes.CDLL, handle: int) -> None:
    every = np.arange(shape.vocabulary, dtype=np.int32)
    size = (shape.vocabulary, shape.hidden)
    embedding = [Part(name="model.embed_tokens.weight", target=every)]
    pack.matrix(EMBEDDING, 0, *size, embedding)
    if not shape.tied:
        pack.matrix(HEAD, 0, *size, [Part(name="lm_head.weight", target=every)])
    pack.vector(-1, 0, "model.norm.weight", shape.hidden)
    for layer in range(shape.layers):
        library.glm_layer_set(handle, layer, shape.rotated[layer], shape.windows[layer])
        _fill_attention(pack, shape, layer)
        _fill_forward(pack, shape, layer)
    known = pack.used | ({"lm_head.weight"} if shape.tied else set())
    left = {name for name in set(pack.tensors) - known if not name.endswith("rotary_emb.inv_freq")}
    pack._checkpoint.compare_names(missing=(), unexpected=left)


def _fill_attention(pack: _Packing, shape: NativeShape, layer: int) -> None:
    name = f"model.layers.{layer}.self_attn.".__add__
    queries, keys, hidden = shape.query_columns, shape.key_columns, shape.hidden
    target = {
        "q": head_rows(shape, shape.heads, 0),
        "k": head_rows(shape, shape.key_heads, queries),
        "v": np.arange(queries + keys, queries + 2 * keys, dtype=np.int32),
    }
    parts = [Part(name=name(f"{one}_proj.weight"), target=rows) for one, rows in target.items()]
    pack.matrix(layer, QKV, queries + 2 * keys, hidden, parts)
    if shape.qkv_bias:
        bias = np.zeros(queries + 2 * keys, np.float32)
        for one, rows in target.items():
            bias[rows] = pack.floats(name(f"{one}_proj.bias"), len(rows))
        pack.set_vector(layer, BIAS_QKV, bias)
    every = np.arange(hidden, dtype=np.int32)
    pack.matrix(layer, OUT, hidden, queries, [Part(name=name("o_proj.weight"), target=every)])
    if shape.out_bias:
        pack.vector(layer, BIAS_OUT, name("o_proj.bias"), hidden)
    if shape.family.head_norm:
        order = head_order(shape)
        pack.vector(layer, NORM_Q, name("q_norm.weight"), shape.head_size, order)
        pack.vector(layer, NORM_K, name("k_norm.weight"), shape.head_size, order)


def _fill_forward(pack: _Packing, shape: NativeShape, layer: int) -> None:
    name: Callable[[str], str] = f"model.layers.{layer}.".__add__
    pack.vector(layer, NORM_1, name("input_layernorm.weight"), shape.hidden)
    pack.vector(layer, NORM_2, name("post_attention_layernorm.weight"), shape.hidden)
    if shape.family.post_norms is not None:
        for which, norm in zip((POST_1, POST_2), shape.family.post_norms, strict=True):
            pack.vector(layer, which, name(f"{norm}.weight"), shape.hidden)
    forward, rows = shape.forward, 2 * -(-shape.forward // PANEL) * PANEL
    gate, up = gate_rows(shape, up=False), gate_rows(shape, up=True)
    if shape.family.fused_gate:
        fused = name("mlp.gate_up_proj.weight")
        parts = [
            Part(name=fused, target=gate, total=2 * forward),
            Part(name=fused, target=up, first=forward, total=2 * forward),
        ]
    else:
        parts = [
            Part(name=name("mlp.gate_proj.weight"), target=gate),
            Part(name=name("mlp.up_proj.weight"), target=up),
        ]
    pack.matrix(layer, GATE_UP, rows, shape.hidden, parts)
    every = np.arange(shape.hidden, dtype=np.int32)
    down = [Part(name=name("mlp.down_proj.weight"), target=every)]
    pack.matrix(layer, DOWN, shape.hidden, forward, down)


def shape_of(checkpoint: Checkpoint) -> NativeShape | None:
    """What the engine would compute; None where it cannot."""
    return native_shape(checkpoint.config)
