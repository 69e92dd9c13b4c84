"""`load_model`: kinds are told by keys, and everything that does not fit is one clear error."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from glm_protocol.errors import ModelUnusable
from glm_t2i import load_model
from glm_t2i.models.coglm import CogLM
from glm_t2i.models.cogview import CogView
from glm_t2i.models.hvqvae import HvqVae
from glm_t2i.models.super_resolution import DirectSuperResolution, IterativeSuperResolution
from glm_t2i.models.vqvae import VqVae

KINDS: dict[str, type] = {
    "vqvae": VqVae,
    "hvqvae": HvqVae,
    "cogview1": CogView,
    "cogview1_sr": CogView,
    "cogview2_coglm": CogLM,
    "cogview2_dsr": DirectSuperResolution,
    "cogview2_itersr": IterativeSuperResolution,
}
Tensors = dict[str, torch.Tensor]


@pytest.mark.parametrize("name", KINDS)
def test_kind_is_told_by_the_keys_not_by_the_name(name: str, data: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    shutil.copy(data / f"{name}_model.safetensors", weights)
    model = load_model(str(weights), data / f"{name}.json")
    assert type(model) is KINDS[name]
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not any(tensor.is_meta for tensor in model.state_dict().values())


def test_wrapper_before_every_key_is_taken_off(data: Path, tmp_path: Path) -> None:
    stored = load_file(data / "vqvae_model.safetensors")
    weights = tmp_path / "wrapped.safetensors"
    save_file({f"module.{key}": value for key, value in stored.items()}, weights)
    assert isinstance(load_model(weights, data / "vqvae.json"), VqVae)


def test_one_model_may_lie_in_two_files_but_no_key_in_both(data: Path, tmp_path: Path) -> None:
    stored = load_file(data / "cogview1_model.safetensors")
    half = len(stored) // 2
    first, second = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    save_file(dict(list(stored.items())[:half]), first)
    save_file(dict(list(stored.items())[half:]), second)
    model = load_model([first, second], data / "cogview1.json")
    assert torch.equal(
        model.state_dict()["word_embeddings.weight"], stored["word_embeddings.weight"]
    )
    with pytest.raises(ModelUnusable, match="a second time"):
        load_model([first, first], data / "cogview1.json")


def test_weights_can_be_computed_in_another_type(data: Path) -> None:
    model = load_model(
        data / "cogview1_model.safetensors", data / "cogview1.json", dtype=torch.bfloat16
    )
    assert isinstance(model, CogView)
    assert model(torch.tensor([[1, 2]])).logits.dtype == torch.bfloat16


def drop(key: str) -> Callable[[Tensors], None]:
    return lambda stored: stored.__delitem__(key)


def put(key: str, value: torch.Tensor) -> Callable[[Tensors], None]:
    return lambda stored: stored.__setitem__(key, value)


DENSE = "transformer.layers.1.attention.dense.bias"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (drop(DENSE), f"lacks {DENSE}"),
        (put("transformer.layers.2.mlp.x.bias", torch.zeros(3)), "unknown transformer.layers.2"),
        (put(DENSE, torch.zeros(63)), r"has shape \[63\], the config asks for \[64\]"),
        (put(DENSE, torch.full((64,), float("nan"))), "not finite"),
        (put(DENSE, torch.zeros(64, dtype=torch.int64)), "integers"),
        (drop("word_embeddings.weight"), "no picture model"),
    ],
)
def test_weights_that_do_not_fit(
    change: Callable[[Tensors], None], says: str, data: Path, tmp_path: Path
) -> None:
    stored = load_file(data / "cogview1_model.safetensors")
    change(stored)
    weights = tmp_path / "changed.safetensors"
    save_file(stored, weights)
    with pytest.raises(ModelUnusable, match=says) as raised:
        load_model(weights, data / "cogview1.json")
    assert str(weights) in raised.value.message


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_file(name: str, share: float, data: Path, tmp_path: Path) -> None:
    whole = (data / f"{name}_model.safetensors").read_bytes()
    weights = tmp_path / "cut.safetensors"
    weights.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelUnusable, match=r"cut\.safetensors"):
        load_model(weights, data / f"{name}.json")


def test_missing_files(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="cannot be read"):
        load_model(tmp_path / "none.safetensors", data / "vqvae.json")
    with pytest.raises(ModelUnusable, match="cannot be read"):
        load_model(data / "vqvae_model.safetensors", tmp_path / "none.json")
    with pytest.raises(ModelUnusable, match="No weights file"):
        load_model([], data / "vqvae.json")


@pytest.mark.parametrize(
    ("name", "field", "value", "says"),
    [
        ("cogview1", "num_layers", 0, "num_layers is 0"),
        ("cogview1", "num_layers", None, "does not say num_layers"),
        ("cogview1", "num_layers", 3, "lacks transformer.layers.2"),
        ("cogview1", "num_layers", "2", "num_layers is '2'"),
        ("cogview1", "hidden_size", 65, "not divisible"),
        ("cogview1", "vocab_size", 100, "num_image_tokens is larger"),
        ("cogview1", "layernorm_eps", 2, "layernorm_eps"),
        ("cogview2_coglm", "layernorm_order", "pre", "sandwich"),
        ("cogview2_dsr", "layout", [8, 17], "3 ends"),
        ("cogview2_dsr", "layout", [8, 17, 99], "no square"),
        ("cogview2_dsr", "layout", [17, 8, 98], "must grow"),
        ("cogview2_itersr", "new_sequence_length", 73, "more than max_sequence_length"),
        ("vqvae", "stride", 4, "stride 4"),
        ("vqvae", "simple", "yes", "true or false"),
        ("vqvae", "simple", False, "has shape|lacks|unknown"),
        ("hvqvae", "config", {}, "quantize_config"),
    ],
)
def test_config_that_does_not_fit(
    name: str, field: str, value: Any, says: str, data: Path, tmp_path: Path
) -> None:
    fields = json.loads((data / f"{name}.json").read_text())
    fields[field] = value
    config = tmp_path / "config.json"
    config.write_text(json.dumps(fields))
    with pytest.raises(ModelUnusable, match=says):
        load_model(data / f"{name}_model.safetensors", config)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_config_that_is_no_object(content: bytes, data: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_bytes(content)
    with pytest.raises(ModelUnusable, match=r"config\.json"):
        load_model(data / "vqvae_model.safetensors", config)
