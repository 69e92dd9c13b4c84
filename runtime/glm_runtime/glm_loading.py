"""A checkpoint of model_type glm becomes a `GlmModel`: config fields, weights by name, rotation.

Takes only what `glm_model` computes; whatever else a config asks for is left to transformers.

Legend: P positions, R rotated pairs of a head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from glm_protocol.errors import ModelUnusable
from glm_runtime.checkpoint import Checkpoint
from glm_runtime.device import Placement
from glm_runtime.glm_model import GlmModel, GlmShape
from glm_runtime.quantized_weight import QuantizedWeight

# What the forward below assumes where a config says it at all.
_CHOICES = {"hidden_act": "silu", "rope_scaling": None, "is_encoder_decoder": False}
_DEFAULTS: dict[str, Any] = {
    "attention_bias": True,
    "rms_norm_eps": 1.5625e-07,
    "tie_word_embeddings": False,
    "eos_token_id": [151329, 151336, 151338],
}  # of transformers' GlmConfig


def is_plain_glm(fields: Mapping[str, Any]) -> bool:
    """Whether a config of model_type glm says its sizes and asks for nothing that is not
    computed here."""
    rope = fields.get("rope_parameters") or {}
    return (
        all(type(fields.get(name)) is int for name in GlmShape.__slots__)
        and all(fields.get(key, value) in (value, None) for key, value in _CHOICES.items())
        and isinstance(rope, dict)
        and set(rope) <= {"rope_type", "rope_theta", "partial_rotary_factor"}
        and rope.get("rope_type", "default") == "default"
    )


def load_glm_model(
    checkpoint: Checkpoint, placement: Placement
) -> tuple[GlmModel, tuple[str, ...]]:
    """(model, notes). Quantised weights are dequantised. Raises ModelUnusable."""
    fields = {**_DEFAULTS, **checkpoint.config.fields}
    where = f"{checkpoint.folder}/config.json"
    try:
        shape = GlmShape(**{name: fields[name] for name in GlmShape.__slots__})
        shapes = _expected(shape, bias=bool(fields["attention_bias"]))
        epsilon, rotation_PR = float(fields["rms_norm_eps"]), _rotation(shape, fields)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ModelUnusable(f"{where} makes no sense ({error}).") from error
    weights = {
        name: (
            weight.dequantize(placement.dtype)
            if isinstance(weight, QuantizedWeight)
            else weight.to(placement.dtype, copy=True)  # out of the file: aligned, and ours
        )
        for name, weight in checkpoint.weights()
    }
    if fields["tie_word_embeddings"]:
        weights.pop("lm_head.weight", None)
        del shapes["lm_head.weight"]
    checkpoint.compare_names(
        missing=set(shapes) - set(weights), unexpected=set(weights) - set(shapes)
    )
    for name, weight in weights.items():
        if tuple(weight.shape) != shapes[name]:
            raise ModelUnusable(
                f"The weights in {checkpoint.folder} do not fit their config.json ({name} is"
                f" {tuple(weight.shape)}, not {shapes[name]})."
            )
    return GlmModel(
        shape,
        weights,
        epsilon=epsilon,
        rotation_PR=rotation_PR,
        stop_ids=_stop_ids(fields["eos_token_id"]),
    ), ()


def _rotation(shape: GlmShape, fields: Mapping[str, Any]) -> torch.Tensor:
    """e^(i · position · frequency) as complex64 [P, R]."""
    rope = {**fields, **(fields.get("rope_parameters") or {})}
    width = int(shape.head_dim * float(rope.get("partial_rotary_factor", 0.5)))
    if not 0 < width <= shape.head_dim or width % 2:
        raise ValueError("partial_rotary_factor leaves no whole pairs")
    theta = float(rope.get("rope_theta", 10_000.0))
    frequency_R = 1.0 / theta ** (torch.arange(0, width, 2, dtype=torch.float32) / width)
    position_P = torch.arange(shape.max_position_embeddings, dtype=torch.float32)
    angle_PR = position_P[:, None] * frequency_R
    return torch.polar(torch.ones_like(angle_PR), angle_PR)


def _expected(shape: GlmShape, *, bias: bool) -> dict[str, tuple[int, ...]]:
    """Shape of every weight by its name."""
    hidden, forward = shape.hidden_size, shape.intermediate_size
    queries = shape.num_attention_heads * shape.head_dim
    keys = shape.num_key_value_heads * shape.head_dim
    layer: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (hidden,),
        "self_attn.q_proj.weight": (queries, hidden),
        "self_attn.k_proj.weight": (keys, hidden),
        "self_attn.v_proj.weight": (keys, hidden),
        "self_attn.o_proj.weight": (hidden, queries),
        "post_attention_layernorm.weight": (hidden,),
        "mlp.gate_up_proj.weight": (2 * forward, hidden),
        "mlp.down_proj.weight": (hidden, forward),
    }
    if bias:
        layer |= {"self_attn.q_proj.bias": (queries,)}
        layer |= {f"self_attn.{name}_proj.bias": (keys,) for name in "kv"}
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (shape.vocab_size, hidden),
        "lm_head.weight": (shape.vocab_size, hidden),
        "model.norm.weight": (hidden,),
    }
    for index in range(shape.num_hidden_layers):
        shapes |= {f"model.layers.{index}.{name}": size for name, size in layer.items()}
    return shapes


def _stop_ids(ids: int | list[int] | None) -> frozenset[int]:
    return frozenset(ids if isinstance(ids, list) else [] if ids is None else [ids])
