"""A checkpoint becomes a `CapturedModel`: weights stacked, slots made, capture chosen."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from glm_protocol.errors import ModelUnusable
from glm_runtime.captured.captured_model import BATCHES, WIDTHS, CapturedModel
from glm_runtime.captured.device_linear import DeviceLinear, device_linear
from glm_runtime.captured.graph_capture import GraphCapture, capture_for
from glm_runtime.captured.layer_stack import DeviceLayer, LayerStack
from glm_runtime.captured.static_cache import StaticCache
from glm_runtime.checkpoint import Checkpoint
from glm_runtime.device import Placement
from glm_runtime.native.native_shape import NativeShape
from glm_runtime.quantized_weight import QuantizedWeight

_KV_SHARE = 0.5  # of the memory that weights leave free
_MOST_POSITIONS = 16_384
Stored = torch.Tensor | QuantizedWeight


def load_captured_model(
    checkpoint: Checkpoint,
    shape: NativeShape,
    placement: Placement,
    *,
    number_format: str | None = None,
    capture: GraphCapture | None = None,
) -> CapturedModel:
    """`number_format`: of linear weights, None: the placement's dtype. Raises ModelUnusable."""
    weights = _Weights(checkpoint, placement, number_format)
    stack = _stack(weights, shape)
    weights.check_empty(tied=shape.tied)
    weight_bytes = checkpoint.parameters * placement.dtype.itemsize
    positions = min(shape.positions, _MOST_POSITIONS) + WIDTHS[-1]
    row = 2 * shape.layers * shape.key_columns * positions * placement.dtype.itemsize
    free = max(0, placement.memory_budget_bytes - weight_bytes) * _KV_SHARE
    cache = StaticCache(
        layers=shape.layers,
        slots=int(min(BATCHES[-1], max(1, free // row - 1))),
        key_heads=shape.key_heads,
        positions=positions,
        head_size=shape.head_size,
        device=placement.device,
        dtype=placement.dtype,
    )
    return CapturedModel(stack, cache, capture or capture_for(placement.device))


class _Weights:
    """Takes weights by name, so that what is left over is unexpected."""

    def __init__(
        self, checkpoint: Checkpoint, placement: Placement, number_format: str | None
    ) -> None:
        self._checkpoint = checkpoint
        self._device, self._dtype = placement.device, placement.dtype
        self._format = number_format
        self._stored: dict[str, Stored] = dict(checkpoint.weights())

    def _take(self, name: str, shape: tuple[int, ...]) -> Stored:
        weight = self._stored.pop(name, None)
        if weight is None:
            self._checkpoint.compare_names(missing={name}, unexpected=())
            raise AssertionError
        if tuple(weight.shape) != shape:
            raise ModelUnusable(
                f"The weights in {self._checkpoint.folder} do not fit their config.json ({name} is"
                f" {tuple(weight.shape)}, not {shape})."
            )
        return weight

    def plain(self, name: str, *shape: int) -> torch.Tensor:
        weight = self._take(name, shape)
        if isinstance(weight, QuantizedWeight):
            weight = weight.dequantize(self._dtype)
        return weight.to(self._device, self._dtype, copy=True)

    def linear(self, names: Mapping[str, int], columns: int, *, bias: bool = False) -> DeviceLinear:
        """Layers stacked by rows; `names` with their rows."""
        return device_linear(
            [self._take(f"{name}.weight", (rows, columns)) for name, rows in names.items()],
            biases=[self.plain(f"{name}.bias", rows) for name, rows in names.items()]
            if bias
            else None,
            number_format=self._format,
            device=self._device,
            dtype=self._dtype,
        )

    def check_empty(self, *, tied: bool) -> None:
        left = {name for name in self._stored if not name.endswith("rotary_emb.inv_freq")}
        left -= {"lm_head.weight"} if tied else set()
        self._checkpoint.compare_names(missing=(), unexpected=left)


def _stack(weights: _Weights, shape: NativeShape) -> LayerStack:
    embedding_VD = weights.plain("model.embed_tokens.weight", shape.vocabulary, shape.hidden)
    if shape.tied:
        head = DeviceLinear(values_OI=embedding_VD)
    else:
        head = weights.linear({"lm_head": shape.vocabulary}, shape.hidden)
    return LayerStack(
        shape,
        [_layer(weights, shape, f"model.layers.{number}.") for number in range(shape.layers)],
        embedding_VD=embedding_VD,
        head=head,
        norm_D=weights.plain("model.norm.weight", shape.hidden),
    )


def _layer(weights: _Weights, shape: NativeShape, name: str) -> DeviceLayer:
    family, hidden, forward = shape.family, shape.hidden, shape.forward
    attention, queries = f"{name}self_attn.", shape.query_columns
    rows = zip("qkv", (queries, shape.key_columns, shape.key_columns), strict=True)
    names = ("input_layernorm", "post_attention_layernorm", *(family.post_norms or ()))
    norms = {norm: weights.plain(f"{name}{norm}.weight", hidden) for norm in names}
    if family.head_norm:
        for norm in ("q_norm", "k_norm"):
            norms[norm] = weights.plain(f"{attention}{norm}.weight", shape.head_size)
    if family.fused_gate:
        gates = {f"{name}mlp.gate_up_proj": 2 * forward}
    else:
        gates = {f"{name}mlp.gate_proj": forward, f"{name}mlp.up_proj": forward}
    return DeviceLayer(
        qkv=weights.linear(
            {f"{attention}{one}_proj": count for one, count in rows}, hidden, bias=shape.qkv_bias
        ),
        out=weights.linear(
            {f"{attention}o_proj": hidden}, shape.query_columns, bias=shape.out_bias
        ),
        gate_up=weights.linear(gates, hidden),
        down=weights.linear({f"{name}mlp.down_proj": hidden}, forward),
        norms=norms,
    )


def moved_stack(stack: LayerStack, device: torch.device, dtype: torch.dtype) -> LayerStack:
    """The same weights elsewhere, an output layer that was tied still so."""
    embedding_VD = stack.embedding_VD.to(device, dtype)
    tied = stack.head.values_OI is stack.embedding_VD
    return LayerStack(
        stack.shape,
        [
            DeviceLayer(
                qkv=layer.qkv.to(device, dtype),
                out=layer.out.to(device, dtype),
                gate_up=layer.gate_up.to(device, dtype),
                down=layer.down.to(device, dtype),
                norms={name: norm.to(device, dtype) for name, norm in layer.norms.items()},
            )
            for layer in stack.layers
        ],
        embedding_VD=embedding_VD,
        head=DeviceLinear(values_OI=embedding_VD) if tied else stack.head.to(device, dtype),
        norm_D=stack.norm_D.to(device, dtype),
    )
