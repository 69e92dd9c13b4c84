"""Checkpoint folders: what loads, and the sentence for each one that does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from glm_protocol.errors import GlmError, ModelUnusable, Unsupported
from glm_vision import load_model

from .conftest import DATA, read_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(DATA / "cogvlm" / name, tmp_path / name)
    return tmp_path


def edit_config(folder: Path, **changes: Any) -> None:
    raw = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(raw | changes))


def edit_weights(folder: Path, edit: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    edit(weights)
    save_file(weights, folder / "model.safetensors")


def drop_boi(weights: dict[str, torch.Tensor]) -> None:
    del weights["model.vision.boi"]


def spoil_head(weights: dict[str, torch.Tensor]) -> None:
    weights["lm_head.weight"][0, 0] = torch.nan


def shard(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    halves = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in halves.items():
        save_file({name: weights[name] for name in part}, folder / file)
    (folder / "model.safetensors").unlink()
    weight_map = {name: file for file, part in halves.items() for name in part}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))


def lose_a_shard(folder: Path) -> None:
    shard(folder)
    (folder / "b.safetensors").unlink()


def test_shards_load_alike(folder: Path) -> None:
    shard(folder)
    expected = read_model("cogvlm").state_dict()
    loaded = load_model(folder).state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)


def test_code_named_by_the_config_is_ignored(folder: Path) -> None:
    (folder / "modeling_cogvlm.py").write_text("raise SystemExit('ran')")
    edit_config(folder, _attn_implementation="evil/kernel", quantization_config={"a": 1})
    assert load_model(folder).config._attn_implementation == "sdpa"


BROKEN: dict[str, tuple[Callable[[Path], Any], type[GlmError], str]] = {
    "no folder": (lambda f: shutil.rmtree(f), ModelUnusable, "There is no config.json in"),
    "config not JSON": (
        lambda f: (f / "config.json").write_text("{"),
        ModelUnusable,
        "not valid JSON",
    ),
    "config a list": (lambda f: (f / "config.json").write_text("[]"), ModelUnusable, "object"),
    "another architecture": (
        lambda f: edit_config(f, architectures=["ChatGLMModel"]),
        Unsupported,
        "known here",
    ),
    "a size that is text": (lambda f: edit_config(f, hidden_size="64"), ModelUnusable, "hidden"),
    "heads that do not divide": (
        lambda f: edit_config(f, num_attention_heads=5),
        ModelUnusable,
        "heads",
    ),
    "a tower of another shape": (
        lambda f: edit_config(f, vision_config={"image_size": 57}),
        ModelUnusable,
        "multiple",
    ),
    "config of another size": (
        lambda f: edit_config(f, vocab_size=500),
        ModelUnusable,
        "config.json says",
    ),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), ModelUnusable, "There is no"),
    "cut short": (
        lambda f: (f / "model.safetensors").write_bytes(
            (f / "model.safetensors").read_bytes()[:-8]
        ),
        ModelUnusable,
        "cut short",
    ),
    "a weight missing": (
        lambda f: edit_weights(f, drop_boi),
        ModelUnusable,
        "1 weights are missing",
    ),
    "a weight too many": (
        lambda f: edit_weights(f, lambda w: w.update(extra=torch.ones(1))),
        ModelUnusable,
        "1 are not of this",
    ),
    "not finite": (
        lambda f: edit_weights(f, spoil_head),
        ModelUnusable,
        "not finite",
    ),
    "a shard missing": (
        lose_a_shard,
        ModelUnusable,
        r"is incomplete: 1 of 2 shards are missing \(b\.safetensors\)",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_named(folder: Path, name: str) -> None:
    breaking, error, message = BROKEN[name]
    breaking(folder)
    with pytest.raises(error, match=message):
        load_model(folder)
