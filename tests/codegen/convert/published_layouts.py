"""The layouts in which CodeGeeX-13B's weights travel, each written from one set of tensors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy
import torch
from safetensors.torch import save_file

Weights = Mapping[str, torch.Tensor]
_PREFIX = "language_model."
_ROW_SPLIT = re.compile(
    r"\.(query|key|value|key_value|query_key_value|dense_h_to_4h)\.(weight|bias)$"
)
_COLUMN_SPLIT = re.compile(r"\.(dense|dense_4h_to_h)\.weight$")
_MINDSPORE_PARTS = {
    "attention.query": "attention.dense1",
    "attention.key": "attention.dense2",
    "attention.value": "attention.dense3",
    "attention.dense": "attention.projection",
    "mlp.dense_h_to_4h": "output.mapping",
    "mlp.dense_4h_to_h": "output.projection",
    "input_layernorm": "layernorm1",
    "post_attention_layernorm": "layernorm2",
}


def nested(weights: Weights) -> dict[str, Any]:
    """The released form: partly nested dictionaries, partly flat ones."""
    flat = {name.removeprefix(_PREFIX): tensor for name, tensor in weights.items()}
    model: dict[str, Any] = {
        "embedding": {
            "word_embeddings": {"weight": flat["embedding.word_embeddings.weight"]},
            "position_embeddings": {"weight": flat["embedding.position_embeddings.weight"]},
        },
        "topQueryEmbedding": {
            "top_query_embeddings": {
                "weight": flat["topQueryEmbedding.top_query_embeddings.weight"]
            }
        },
        "transformer": {
            name.removeprefix("transformer."): tensor
            for name, tensor in flat.items()
            if name.startswith("transformer.")
        },
    }
    return {"module": {"language_model": model}, "iteration": 3, "optimizer": {"step": 1}}


def fused(weights: Weights) -> dict[str, torch.Tensor]:
    """Query, key and value stacked; in the top layer key and value only."""
    found = dict(weights)
    for name in list(weights):
        if ".attention.query." not in name:
            continue
        parts = ("key", "value") if "topQueryLayer" in name else ("query", "key", "value")
        names = [name.replace("query", part) for part in parts]
        joined = name.replace(".query.", "." + "_".join(parts) + ".")
        found[joined] = torch.cat([found.pop(part) for part in names])
    return found


def rank_slices(weights: Weights, ranks: int, *, fuse: bool) -> list[dict[str, torch.Tensor]]:
    """What each tensor-parallel rank holds."""
    held: list[dict[str, torch.Tensor]] = [{} for _ in range(ranks)]
    for name, tensor in weights.items():
        rows = _ROW_SPLIT.search(name) or "word_embed" in name or "top_query_embed" in name
        columns = _COLUMN_SPLIT.search(name)
        pieces = tensor.chunk(ranks, dim=0 if rows else 1) if rows or columns else (tensor,) * ranks
        for rank, piece in enumerate(pieces):
            held[rank][name] = piece.clone()
    return [fused(part) for part in held] if fuse else held


def mindspore(weights: Weights) -> dict[str, torch.Tensor]:
    """MindSpore's names, its output and MLP matrices transposed."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in weights.items():
        name = name.removeprefix(_PREFIX)
        if "embedding" in name:
            kind = re.search(r"(word|position|top_query)_embeddings", name)
            assert kind is not None
            table = (
                "top_query_embedding"
                if kind[1] == "top_query"
                else f"embedding.{kind[1]}_embedding"
            )
            found[f"backbone.{table}.embedding_table"] = tensor
            continue
        name = name.replace("transformer.final_layernorm", "backbone.layernorm")
        name = name.replace("transformer.layers.", "backbone.blocks.")
        name = name.replace("transformer.topQueryLayer", "backbone.top_query_layer")
        for part, renamed in _MINDSPORE_PARTS.items():
            name = name.replace(f".{part}.", f".{renamed}.")
        if "layernorm" in name:
            name = name.replace(".weight", ".gamma").replace(".bias", ".beta")
        if name.endswith(("projection.weight", "mapping.weight")):
            tensor = tensor.t().contiguous()
        found[name] = tensor
    return found


def _save_parallel(folder: Path, weights: Weights, ranks: int, *, fuse: bool) -> None:
    for rank, held in enumerate(rank_slices(weights, ranks, fuse=fuse)):
        torch.save(
            nested(held) if not fuse else held, folder / f"mp_rank_{rank:02d}_model_states.pt"
        )


def _save_numpy(folder: Path, weights: Weights) -> None:
    for name, tensor in mindspore(weights).items():
        numpy.save(folder / f"{name}.npy", tensor.numpy())


def _padded(weights: Weights) -> dict[str, torch.Tensor]:
    name = _PREFIX + "embedding.word_embeddings.weight"
    table = weights[name]
    return {**weights, name: torch.cat([table, torch.ones(8, table.shape[1], dtype=table.dtype)])}


LAYOUTS: dict[str, Callable[[Path, Weights], None]] = {
    "nested .pt": lambda folder, w: torch.save(nested(w), folder / "codegeex.pt"),
    "flat safetensors": lambda folder, w: save_file(dict(w), folder / "model.safetensors"),
    "fused": lambda folder, w: torch.save(fused(w), folder / "codegeex.pt"),
    "two ranks": lambda folder, w: _save_parallel(folder, w, 2, fuse=False),
    "four ranks, fused": lambda folder, w: _save_parallel(folder, w, 4, fuse=True),
    "mindspore .npy": _save_numpy,
    "mindspore .ckpt": lambda folder, w: torch.save(mindspore(w), folder / "codegeex.ckpt"),
    "padded words": lambda folder, w: torch.save(nested(_padded(w)), folder / "codegeex.pt"),
}


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    (folder / "meta.json").write_text(json.dumps({"config": dict(config)}))


def write_shards(folder: Path, weights: Weights, count: int) -> None:
    """pytorch_model-0000i-of-0000n.bin and their index."""
    names = sorted(weights)
    index: dict[str, str] = {}
    for shard in range(count):
        file = f"pytorch_model-{shard + 1:05d}-of-{count:05d}.bin"
        part = {name: weights[name].clone() for name in names[shard::count]}
        torch.save(part, folder / file)
        index |= dict.fromkeys(part, file)
    text = json.dumps({"metadata": {}, "weight_map": index})
    (folder / "pytorch_model.bin.index.json").write_text(text)
