"""Names of CodeGeeX-13B's published weights, and their places in `CodeGeeXForCausalLM`.

Known: the release (nested dictionaries, joined by dots), the fused query-key-value form, both
split over tensor-parallel ranks, and MindSpore's names, whose output and MLP matrices lie
transposed. Sources: save and load code of the CodeGeeX project. No tensor is touched here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from glm_codegen.models.codegeex_config import OFFICIAL_TRAINED_VOCABULARY, CodeGeeXConfig
from glm_codegen.models.published_config import PublishedConfig
from glm_codegen.models.weight_place import WeightPlace, equal_parts
from glm_protocol.errors import ModelUnusable

_WRAPPERS = ("module.", "language_model.")
_TABLES = {
    "embedding.word_embeddings.weight": ("embed_tokens", 0),
    "embedding.position_embeddings.weight": ("embed_positions", None),
    "topQueryEmbedding.top_query_embeddings.weight": ("embed_top_queries", 0),
    "backbone.embedding.word_embedding.embedding_table": ("embed_tokens", None),
    "backbone.embedding.position_embedding.embedding_table": ("embed_positions", None),
    "backbone.top_query_embedding.embedding_table": ("embed_top_queries", None),
}
_QKV = tuple(f"self_attn.{name}_proj" for name in "qkv")
# official name: (native names of the stacked matrices, parallel dim of the weight)
_MATRICES: dict[str, tuple[tuple[str, ...], int]] = {
    "attention.query": (_QKV[:1], 0),
    "attention.key": (_QKV[1:2], 0),
    "attention.value": (_QKV[2:], 0),
    "attention.query_key_value": (_QKV, 0),
    "attention.key_value": (_QKV[1:], 0),
    "attention.dense": (("self_attn.o_proj",), 1),
    "mlp.dense_h_to_4h": (("mlp.up_proj",), 0),
    "mlp.dense_4h_to_h": (("mlp.down_proj",), 1),
}
# MindSpore name: (native name, whether the matrix lies transposed)
_MINDSPORE = {
    "attention.dense1": (_QKV[0], False),
    "attention.dense2": (_QKV[1], False),
    "attention.dense3": (_QKV[2], False),
    "attention.projection": ("self_attn.o_proj", True),
    "output.mapping": ("mlp.up_proj", True),
    "output.projection": ("mlp.down_proj", True),
}
_MINDSPORE_NORMS = {"layernorm1": "input_layernorm", "layernorm2": "post_attention_layernorm"}
_MINDSPORE_AFFINE = {"gamma": "weight", "beta": "bias"}
_LAYER = re.compile(
    r"transformer\.(?:layers\.(?P<n>\d+)|topQueryLayer)\.(?P<part>.+)\.(?P<kind>weight_scale|weight|bias)"
)
_MINDSPORE_LAYER = re.compile(
    r"backbone\.(?:blocks\.(?P<n>\d+)|top_query_layer)\.(?P<part>.+)\.(?P<kind>weight|bias|gamma|beta)"
)
_FINAL_NORM = re.compile(r"transformer\.final_layernorm\.(weight|bias)")
_MINDSPORE_FINAL_NORM = re.compile(r"backbone\.layernorm\.(gamma|beta)")
_TRAINING_STATE = re.compile(r"(optimizer|lr_scheduler|\w*rng\w*)(\.|$)")
_OFFICIAL_SHAPE = (5120, 40, 2048)  # hidden size, layers with the top one, positions


def places(key: str) -> tuple[WeightPlace, ...] | None:
    """Where `key` belongs; () for training state, which is dropped; None: the key is unknown."""
    if _TRAINING_STATE.match(key):
        return ()
    for wrapper in _WRAPPERS:
        key = key.removeprefix(wrapper)
    if key in _TABLES:
        native, dim = _TABLES[key]
        return (WeightPlace(native=f"model.{native}.weight", parallel_dim=dim),)
    if match := _FINAL_NORM.fullmatch(key):
        return (WeightPlace(native=f"model.norm.{match[1]}"),)
    if match := _MINDSPORE_FINAL_NORM.fullmatch(key):
        return (WeightPlace(native=f"model.norm.{_MINDSPORE_AFFINE[match[1]]}"),)
    if match := _LAYER.fullmatch(key):
        return _torch_places(_layer(match["n"]), match["part"], match["kind"])
    if match := _MINDSPORE_LAYER.fullmatch(key):
        return _mindspore_places(_layer(match["n"]), match["part"], match["kind"])
    return None


def _layer(number: str | None) -> str:
    return "model.top_query_layer" if number is None else f"model.layers.{number}"


def _torch_places(layer: str, part: str, kind: str) -> tuple[WeightPlace, ...] | None:
    if part in ("input_layernorm", "post_attention_layernorm") and kind != "weight_scale":
        return (WeightPlace(native=f"{layer}.{part}.{kind}"),)
    if part not in _MATRICES:
        return None
    natives, dim = _MATRICES[part]
    # Of a matrix split by columns the bias is whole on every rank.
    parallel = dim if kind == "weight" or dim == 0 else None
    return tuple(
        WeightPlace(native=f"{layer}.{native}.{kind}", rows=rows, parallel_dim=parallel)
        for native, rows in zip(natives, equal_parts(len(natives)), strict=True)
    )


def _mindspore_places(layer: str, part: str, kind: str) -> tuple[WeightPlace, ...] | None:
    if part in _MINDSPORE_NORMS and kind in _MINDSPORE_AFFINE:
        native = f"{layer}.{_MINDSPORE_NORMS[part]}.{_MINDSPORE_AFFINE[kind]}"
        return (WeightPlace(native=native),)
    if part not in _MINDSPORE or kind in _MINDSPORE_AFFINE:
        return None
    native, transposed = _MINDSPORE[part]
    transposed = transposed and kind == "weight"
    return (WeightPlace(native=f"{layer}.{native}.{kind}", transposed=transposed),)


def official_names(layers: int) -> Iterator[str]:
    """The released names of a model of `layers` ordinary layers, for messages on missing ones."""
    yield from (name for name in _TABLES if not name.startswith("backbone."))
    blocks = [*(f"layers.{n}" for n in range(layers)), "topQueryLayer"]
    for block in blocks:
        for part in ("input_layernorm", "post_attention_layernorm", *_MATRICES):
            if not part.endswith("key_value"):
                yield from (f"transformer.{block}.{part}.{kind}" for kind in ("weight", "bias"))
    yield from (f"transformer.final_layernorm.{kind}" for kind in ("weight", "bias"))


def config_fields(
    shapes: Mapping[str, tuple[int, ...]], layers: int, given: PublishedConfig
) -> dict[str, Any]:
    """Fields of `CodeGeeXConfig` for weights of these native shapes with `layers` ordinary layers.

    Raises ModelUnusable: a number is missing that only the official shapes would imply, or one
    is given that the shapes contradict.
    """
    hidden = shapes["model.norm.weight"][0]
    rows = shapes["model.embed_tokens.weight"][0]
    positions = shapes["model.embed_positions.weight"][0]
    official = (hidden, layers + 1, positions) == _OFFICIAL_SHAPE and rows >= 50400
    heads = given.integer("num_attention_heads")
    eps = given.number("layernorm_epsilon", "layer_norm_eps")
    end = given.token_ids("eos_token_id", "eos")
    vocabulary = given.integer("padded_vocab_size", "vocab_size")
    if official:
        default = CodeGeeXConfig()
        heads = heads or default.num_attention_heads
        eps = eps or default.layer_norm_eps
        end = default.eos_token_id if end is None else end
        vocabulary = vocabulary or min(rows, default.vocab_size)
    if heads is None or eps is None or end is None:
        raise given.lacking(num_attention_heads=heads, layernorm_epsilon=eps, eos_token_id=end)
    vocabulary = vocabulary or rows
    trained = given.integer("trained_vocab_size")
    fields: dict[str, Any] = {
        "vocab_size": vocabulary,
        "trained_vocab_size": trained or min(vocabulary, OFFICIAL_TRAINED_VOCABULARY),
        "hidden_size": hidden,
        "intermediate_size": shapes["model.layers.0.mlp.up_proj.bias"][0],
        "num_hidden_layers": layers + 1,
        "num_attention_heads": heads,
        "max_position_embeddings": positions,
        "layer_norm_eps": eps,
        "bos_token_id": end if isinstance(end, int) else end[0],
        "eos_token_id": end,
        "pad_token_id": None,
        "tie_word_embeddings": True,
    }
    _check(given, fields, rows=rows, layers=layers)
    return fields


def _check(given: PublishedConfig, fields: Mapping[str, Any], *, rows: int, layers: int) -> None:
    told = {
        "hidden_size": (fields["hidden_size"], "transformer.final_layernorm.weight"),
        "num_layers": (layers, "transformer.layers"),
        "ffn_hidden_size": (
            fields["intermediate_size"],
            "transformer.layers.0.mlp.dense_h_to_4h.bias",
        ),
        "max_position_embeddings": (
            fields["max_position_embeddings"],
            "embedding.position_embeddings.weight",
        ),
        "head_dim": (fields["hidden_size"] // fields["num_attention_heads"], "a head"),
    }
    for name, (found, where) in told.items():
        wanted = given.integer(name)
        if wanted is not None and wanted != found:
            raise ModelUnusable(f"{given.file} says {name} {wanted}; {where} has {found}.")
    if fields["hidden_size"] % fields["num_attention_heads"]:
        raise ModelUnusable(
            f"{given.file}: {fields['num_attention_heads']} heads do not divide"
            f" the hidden size {fields['hidden_size']}."
        )
    if rows < fields["vocab_size"] or fields["trained_vocab_size"] > fields["vocab_size"]:
        raise ModelUnusable(
            f"The word embedding has {rows} rows; {given.file} wants {fields['vocab_size']}."
        )
    if given.first("activation") not in (None, "fast_gelu"):
        raise ModelUnusable(f"{given.file} names another activation than CodeGeeX's fast_gelu.")
    if given.first("tie_word_embeddings") not in (None, True):
        raise ModelUnusable(f"{given.file}: CodeGeeX's output projection is its word embedding.")
