"""Which architectures the native engine computes, and how their configs and weights are read.

A config that asks for anything else (other activations, biases, rotary scalings, experts) gives
None: the torch path takes it. Pure; reads plain values.

Names of weights are those of transformers. Rotation of adjacent pairs (GLM) is computed as
rotation of halves by reordering the rows of q and k inside each head: attention is a sum over a
head's columns, so the same order on both sides changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glm_runtime.model_config import ModelConfig

_HEAD_STEP = 16  # head sizes must be whole vectors


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """What sets one architecture apart from the plain Llama form."""

    architecture: str
    interleaved: bool = False  # rotary pairs stand beside each other
    partial: float = 1.0  # default of partial_rotary_factor
    qkv_bias: bool | None = False  # None: as attention_bias says
    out_bias: bool = False  # whether attention_bias gives the output projection one too
    fused_gate: bool = False  # gate and up are one matrix
    head_norm: bool = False
    post_norms: tuple[str, str] | None = None
    window: bool = False  # sliding_window counts without use_sliding_window
    epsilon: float | None = None  # default of rms_norm_eps; None: config must say it


FAMILIES = {
    "glm": Family(
        architecture="GlmForCausalLM", interleaved=True, partial=0.5, qkv_bias=None,
        fused_gate=True, epsilon=1.5625e-07,
    ),
    "glm4": Family(
        architecture="Glm4ForCausalLM", interleaved=True, partial=0.5, qkv_bias=None,
        fused_gate=True, post_norms=("post_self_attn_layernorm", "post_mlp_layernorm"),
    ),
    "llama": Family(architecture="LlamaForCausalLM", qkv_bias=None, out_bias=True),
    "mistral": Family(architecture="MistralForCausalLM", window=True),
    "qwen2": Family(architecture="Qwen2ForCausalLM", qkv_bias=True),
    "qwen3": Family(
        architecture="Qwen3ForCausalLM", qkv_bias=None, out_bias=True, head_norm=True
    ),
    "granite": Family(architecture="GraniteForCausalLM", qkv_bias=None, out_bias=True),
    "smollm3": Family(architecture="SmolLM3ForCausalLM", qkv_bias=None, out_bias=True),
}  # fmt: skip
_ATTENTION_BIAS_DEFAULT = {"glm": True}


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeShape:
    """Sizes, factors and the parts that a model has."""

    family: Family
    layers: int
    hidden: int
    heads: int
    key_heads: int
    head_size: int
    forward: int
    vocabulary: int
    positions: int
    rotary: int  # columns of a head that are rotated
    frequency: NDArray[np.float32]  # of each pair
    epsilon: float
    attention_scale: float
    embedding_scale: float
    residual_scale: float
    logit_scale: float
    qkv_bias: bool
    out_bias: bool
    tied: bool
    windows: tuple[int, ...]  # of each layer; 0: none
    rotated: tuple[bool, ...]  # of each layer
    stop_ids: frozenset[int]

    @property
    def query_columns(self) -> int:
        return self.heads * self.head_size

    @property
    def key_columns(self) -> int:
        return self.key_heads * self.head_size


def native_shape(config: ModelConfig) -> NativeShape | None:
    """None for a model that the native engine does not compute."""
    family = FAMILIES.get(config.model_type)
    if family is None or family.architecture != config.architecture:
        return None
    try:
        return _shape(family, config.model_type, config.fields)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None


def _shape(family: Family, model_type: str, fields: Mapping[str, Any]) -> NativeShape | None:
    def count(name: str) -> int:
        return _positive(fields[name])

    heads = count("num_attention_heads")
    hidden, layers = count("hidden_size"), count("num_hidden_layers")
    key_heads = _positive(fields.get("num_key_value_heads") or heads)
    head_size = _positive(fields.get("head_dim") or hidden // heads)
    bias = bool(fields.get("attention_bias", _ATTENTION_BIAS_DEFAULT.get(model_type, False)))
    plain = (
        fields.get("hidden_act", "silu") == "silu"
        and not fields.get("mlp_bias")
        and not fields.get("use_sliding_window")
        and not fields.get("quantization_config")
        and fields.get("pretraining_tp") in (None, 1)
        and heads % key_heads == 0
        and head_size % _HEAD_STEP == 0
    )
    rope = _rope(family, fields, head_size)
    if not plain or rope is None:
        return None
    rotary, frequency = rope
    window = int(fields.get("sliding_window") or 0) if family.window else 0
    no_rope = fields.get("no_rope_layers")
    rotated = tuple(bool(x) for x in no_rope) if no_rope else (True,) * layers
    epsilon = fields.get("rms_norm_eps", family.epsilon)
    ids = fields.get("eos_token_id")
    if len(rotated) != layers or (model_type == "smollm3" and no_rope is None):
        return None
    return NativeShape(
        family=family,
        layers=layers,
        hidden=hidden,
        heads=heads,
        key_heads=key_heads,
        head_size=head_size,
        forward=count("intermediate_size"),
        vocabulary=count("vocab_size"),
        positions=count("max_position_embeddings"),
        rotary=rotary,
        frequency=frequency,
        epsilon=float(epsilon),
        attention_scale=float(fields.get("attention_multiplier") or head_size**-0.5),
        embedding_scale=float(fields.get("embedding_multiplier") or 1.0),
        residual_scale=float(fields.get("residual_multiplier") or 1.0),
        logit_scale=1.0 / float(fields.get("logits_scaling") or 1.0),
        qkv_bias=bias if family.qkv_bias is None else family.qkv_bias,
        out_bias=bias and family.out_bias,
        tied=bool(fields.get("tie_word_embeddings", False)),
        windows=(window,) * layers,
        rotated=rotated,
        stop_ids=frozenset(ids if isinstance(ids, list) else [] if ids is None else [ids]),
    )


def _positive(value: Any) -> int:
    if type(value) is not int or not 0 < value < 2**31:
        raise ValueError("a size must be a positive integer")
    return value


def _rope(
    family: Family, fields: Mapping[str, Any], head_size: int
) -> tuple[int, NDArray[np.float32]] | None:
    """(rotated columns, frequency of each pair); None for a scaling that is not known here."""
    rope = {**(fields.get("rope_scaling") or {}), **(fields.get("rope_parameters") or {})}
    kind = rope.get("rope_type", rope.get("type", "default"))
    partial = rope.get("partial_rotary_factor", fields.get("partial_rotary_factor"))
    rotary = int(head_size * float(family.partial if partial is None else partial))
    theta = float(rope.get("rope_theta") or fields.get("rope_theta") or 10_000.0)
    if rotary % 2 or not 0 < rotary <= head_size:
        return None
    exponent = np.arange(0, rotary, 2, dtype=np.float32) / np.float32(rotary)
    frequency = (1.0 / theta**exponent).astype(np.float32)
    if kind == "default":
        return rotary, frequency
    if kind == "linear":
        return rotary, (frequency / np.float32(rope["factor"])).astype(np.float32)
    if kind == "llama3":
        return rotary, _llama3(frequency, rope)
    return None


def _llama3(frequency: NDArray[np.float32], rope: Mapping[str, Any]) -> NDArray[np.float32]:
    """Long waves slowed down by `factor`, short ones kept, those between blended (Llama 3.1)."""
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    old = float(rope["original_max_position_embeddings"])
    wave = 2 * math.pi / frequency
    blend = np.clip((old / wave - low) / (high - low), 0.0, 1.0)
    slowed = frequency / float(rope["factor"])
    return np.asarray((1 - blend) * slowed + blend * frequency, np.float32)
