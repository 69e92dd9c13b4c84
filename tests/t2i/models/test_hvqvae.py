"""icetk's tokenizer: the released keys, levels, decoders that a file leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from glm_protocol.errors import ModelUnusable
from glm_t2i import load_model
from glm_t2i.models.convolution_stack import Level
from glm_t2i.models.empty_weights import empty_weights
from glm_t2i.models.hvqvae import HvqVae, released_config
from tests.t2i.tiny_networks import CODES, hvqvae


def test_keys_and_size_are_the_released_ones(data: Path) -> None:
    released = json.loads((data / "hvqvae_fullsize_keys.json").read_text())
    with empty_weights():
        model = HvqVae(released_config())
    assert {key: list(value.shape) for key, value in model.state_dict().items()} == released["keys"]
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted == released["params"] == 97_439_497


def test_only_the_innermost_level_of_the_coarsest_decoder_attends() -> None:
    with empty_weights():
        model = HvqVae(released_config())
    levels = [name for name, part in model.named_modules() if isinstance(part, Level)]
    attending = [name for name in levels if hasattr(model.get_submodule(name), "attn")]
    assert attending == ["decs.0.up.4"]


@pytest.mark.parametrize(("level", "stride"), [(0, 4), (1, 8), (2, 16)])
def test_a_level_codes_its_own_square_of_pixels(level: int, stride: int) -> None:
    codes = hvqvae().encode(torch.randn(2, 3, 32, 64), level)
    assert codes.shape == (2, 32 // stride, 64 // stride)


def test_cogview2_level_is_the_default() -> None:
    model, images = hvqvae(), torch.randn(1, 3, 32, 32)
    assert torch.equal(model.encode(images), model.encode(images, 1))
    codes = torch.randint(CODES, (2, 2, 3))
    assert model.decode(codes).shape == (2, 3, 16, 24)
    assert model.decode_pixels(codes).shape == (2, 3, 16, 24)


@pytest.mark.parametrize("level", [-1, 3])
def test_unknown_level(level: int) -> None:
    with pytest.raises(ValueError, match="level must be 0, 1 or 2"):
        hvqvae().encode(torch.zeros(1, 3, 16, 16), level)


def test_decoder_that_the_file_left_out(data: Path) -> None:
    model = load_model(data / "hvqvae_model.safetensors", data / "hvqvae.json")
    assert isinstance(model, HvqVae)
    with pytest.raises(ValueError, match=r"no decoder of level 1 \(decs\.1\)"):
        model.decode(torch.zeros(1, 2, 2, dtype=torch.int64))


def test_half_a_decoder_is_an_error(data: Path, tmp_path: Path) -> None:
    model = load_model(data / "hvqvae_model.safetensors", data / "hvqvae.json")
    state = model.state_dict() | {"decs.1.conv_in.bias": torch.zeros(64)}
    weights = tmp_path / "w.safetensors"
    save_file(state, weights)
    with pytest.raises(ModelUnusable, match="lacks decs"):
        load_model(weights, data / "hvqvae.json")
