"""ChatGLM2, ChatGLM3, CodeGeeX2, GLM-4-9B and CodeGeeX4 as transformers' `GlmForCausalLM`.

Their published folders want remote code; their weights are those of `Glm` under other names.
The fused query-key-value matrix is a plain stack (query rows, then key, then value), gate comes
before up in both, and no row is permuted: `Glm` rotates adjacent pairs as they do. Rope angles
are `Glm`'s, in float32, also where the original computed them in the model's dtype. Sources:
the ChatGLM2 and GLM-4 model code; measured equal to the last bit on small models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

from glm_codegen.models.published_config import PublishedConfig
from glm_codegen.models.weight_place import WeightPlace
from glm_protocol.errors import ModelUnusable

_WHOLE_MODEL = {
    "transformer.embedding.word_embeddings.weight": "model.embed_tokens.weight",
    "transformer.encoder.final_layernorm.weight": "model.norm.weight",
    "transformer.output_layer.weight": "lm_head.weight",
}
_LAYER_WEIGHTS = {
    "input_layernorm.weight": "input_layernorm.weight",
    "self_attention.dense.weight": "self_attn.o_proj.weight",
    "post_attention_layernorm.weight": "post_attention_layernorm.weight",
    "mlp.dense_h_to_4h.weight": "mlp.gate_up_proj.weight",
    "mlp.dense_4h_to_h.weight": "mlp.down_proj.weight",
}
_FUSED = "self_attention.query_key_value"
_LAYER = re.compile(r"transformer\.encoder\.layers\.(\d+)\.(.+)")
_ROTARY_BUFFER = "transformer.rotary_pos_emb.inv_freq"
_PREFIX_TUNING = "transformer.prefix_encoder."
# config.json: (name, the only value that Glm can represent)
_REQUIRED = {
    "rmsnorm": True,
    "post_layer_norm": True,
    "apply_residual_connection_post_layernorm": False,
    "add_bias_linear": False,
    "interleaved_qkv": False,
    "original_rope": True,
    "tie_word_embeddings": False,
}


def places(key: str, fields: Mapping[str, Any]) -> tuple[WeightPlace, ...] | None:
    """Where `key` belongs in the model of these config fields; (): dropped; None: unknown.

    Raises ModelUnusable for P-tuning's prefix, which `Glm` has no place for.
    """
    if key.startswith(_PREFIX_TUNING):
        raise ModelUnusable(
            f"The weights hold {key}, a P-tuning prefix, which cannot be converted.",
            remedy="Convert the base model without the prefix.",
        )
    if key == _ROTARY_BUFFER:
        return ()
    if key in _WHOLE_MODEL:
        return (WeightPlace(native=_WHOLE_MODEL[key]),)
    match = _LAYER.fullmatch(key)
    if match is None:
        return None
    layer, part = f"model.layers.{match[1]}", match[2]
    name, scale = part.removesuffix("_scale"), "_scale" if part.endswith("weight_scale") else ""
    if name in _LAYER_WEIGHTS:
        return (WeightPlace(native=f"{layer}.{_LAYER_WEIGHTS[name]}{scale}"),)
    if name not in (f"{_FUSED}.weight", f"{_FUSED}.bias"):
        return None
    kind = name.rpartition(".")[2] + scale
    return tuple(
        WeightPlace(native=f"{layer}.self_attn.{letter}_proj.{kind}", rows=rows)
        for letter, rows in zip("qkv", _fused_rows(fields), strict=True)
    )


def _fused_rows(fields: Mapping[str, Any]) -> list[tuple[Fraction, Fraction]]:
    heads, groups = fields["num_attention_heads"], fields["num_key_value_heads"]
    total = heads + 2 * groups
    ends = [Fraction(0), Fraction(heads, total), Fraction(heads + groups, total), Fraction(1)]
    return list(pairwise(ends))


def official_names(layers: int, *, bias: bool) -> Iterator[str]:
    """The published names of a model, for messages on missing ones."""
    yield from _WHOLE_MODEL
    for layer in range(layers):
        fused = [f"{_FUSED}.weight", *([f"{_FUSED}.bias"] if bias else [])]
        for part in (*_LAYER_WEIGHTS, *fused):
            yield f"transformer.encoder.layers.{layer}.{part}"


def config_fields(given: PublishedConfig) -> dict[str, Any]:
    """Fields of `GlmConfig` from a ChatGLM `config.json`, every one set: its defaults are GLM-4's.

    Raises ModelUnusable, naming what is missing or cannot be represented.
    """
    for name, wanted in _REQUIRED.items():
        if given.first(name) not in (None, wanted):
            raise ModelUnusable(f"{given.file}: {name} {given.first(name)!r} cannot be converted.")
    if given.first("pre_seq_len") is not None:
        raise ModelUnusable(f"{given.file}: P-tuning (pre_seq_len) cannot be converted.")
    needed: dict[str, Any] = {
        "num_layers": given.integer("num_layers", "num_hidden_layers"),
        "hidden_size": given.integer("hidden_size"),
        "ffn_hidden_size": given.integer("ffn_hidden_size"),
        "num_attention_heads": given.integer("num_attention_heads"),
        "kv_channels": given.integer("kv_channels"),
        "padded_vocab_size": given.integer("padded_vocab_size", "vocab_size"),
        "seq_length": given.integer("seq_length"),
        "layernorm_epsilon": given.number("layernorm_epsilon"),
        "eos_token_id": given.token_ids("eos_token_id"),
    }
    if None in needed.values():
        raise given.lacking(**needed)
    heads = needed["num_attention_heads"]
    shared_heads = given.first("multi_query_attention") is True
    groups = given.integer("multi_query_group_num") if shared_heads else heads
    if groups is None:
        raise given.lacking(multi_query_group_num=None)
    if heads % groups:
        raise ModelUnusable(f"{given.file}: {heads} heads do not split into {groups} groups.")
    ratio = given.number("rope_ratio") or 1.0
    return {
        "vocab_size": needed["padded_vocab_size"],
        "hidden_size": needed["hidden_size"],
        "intermediate_size": needed["ffn_hidden_size"],
        "num_hidden_layers": needed["num_layers"],
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        "head_dim": needed["kv_channels"],
        "max_position_embeddings": needed["seq_length"],
        "rms_norm_eps": needed["layernorm_epsilon"],
        "attention_bias": given.first("add_qkv_bias") is True,
        # rope_ratio multiplies the base; it is no scaling of positions
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0 * ratio,
            "partial_rotary_factor": 0.5,
        },
        "hidden_act": "silu",
        "attention_dropout": 0.0,
        "bos_token_id": given.first("bos_token_id"),
        "eos_token_id": needed["eos_token_id"],
        "pad_token_id": given.first("pad_token_id"),
        "tie_word_embeddings": False,
    }
