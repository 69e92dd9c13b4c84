"""CogView's tokenizer: every layout, the released keys, bad pictures and codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from glm_t2i import load_model
from glm_t2i.models.empty_weights import empty_weights
from glm_t2i.models.pixels import normalised, to_pixels
from glm_t2i.models.vqvae import ResidualBlock, VqVae, VqVaeConfig
from tests.t2i.tiny_networks import ready


def tokenizer(*, simple: bool = True, blocks: int = 0, inner: int = 0) -> VqVae:
    return ready(
        VqVae(
            VqVaeConfig(
                channel=16, n_res_block=blocks, n_res_channel=6, embed_dim=4, n_embed=32,
                simple=simple, decoder_channel=inner,
            )
        )
    )  # fmt: skip


@pytest.mark.parametrize("simple", [True, False])
@pytest.mark.parametrize("blocks", [0, 1, 3])
@pytest.mark.parametrize("size", [(16, 16), (8, 40), (64, 24)])
def test_every_layout_codes_one_cell_for_eight_pixels(
    simple: bool, blocks: int, size: tuple[int, int]
) -> None:
    model = tokenizer(simple=simple, blocks=blocks)
    codes = model.encode(torch.randn(2, 3, *size))
    assert codes.shape == (2, size[0] // 8, size[1] // 8)
    assert codes.dtype == torch.int64
    assert model.decode(codes).shape == (2, 3, *size)


@pytest.mark.parametrize("inner", [0, 5])
def test_layout_with_residual_blocks_survives_the_file(inner: int, tmp_path: Path) -> None:
    model = tokenizer(simple=False, blocks=2, inner=inner)
    assert "enc_b.blocks.5.conv.1.weight" in model.state_dict()
    assert "dec.blocks.2.conv.3.bias" in model.state_dict()
    weights, config = tmp_path / "w.safetensors", tmp_path / "config.json"
    save_file(model.state_dict(), weights)
    fields = {
        "channel": 16, "n_res_block": 2, "n_res_channel": 6, "embed_dim": 4, "n_embed": 32,
        "stride": 6, "simple": False,
    }  # fmt: skip
    config.write_text(json.dumps(fields))
    again = load_model(weights, config)
    assert isinstance(again, VqVae)
    images = torch.randn(1, 3, 16, 32)
    assert torch.equal(again.encode(images), model.encode(images))
    assert torch.equal(again.decode(again.encode(images)), model.decode(model.encode(images)))


def test_training_sums_may_be_left_out(data: Path, tmp_path: Path) -> None:
    model = tokenizer()
    state = {key: value for key, value in model.state_dict().items() if "cluster" not in key}
    state.pop("quantize_t.embed_avg")
    save_file(state, tmp_path / "w.safetensors")
    fields = {"channel": 16, "embed_dim": 4, "n_embed": 32}
    (tmp_path / "config.json").write_text(json.dumps(fields))
    again = load_model(tmp_path / "w.safetensors", tmp_path / "config.json")
    assert not again.state_dict()["quantize_t.cluster_size"].any()


def test_residual_block_adds_the_activated_input() -> None:
    block = ResidualBlock(4, 2)
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.tensor([-1.0, 2.0, -3.0, 4.0]).view(1, 4, 1, 1)
    assert block(x).flatten().tolist() == [0.0, 2.0, 0.0, 4.0]


def test_keys_and_size_are_the_released_ones(data: Path) -> None:
    released = json.loads((data / "vqvae_fullsize_keys.json").read_text())
    with empty_weights():
        model = VqVae(VqVaeConfig())
    assert {key: list(value.shape) for key, value in model.state_dict().items()} == released["keys"]
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted == released["params"] == 19_034_883


def test_first_of_equally_near_codes_is_taken() -> None:
    model = tokenizer()
    model.quantize_t.embed[:, 9] = model.quantize_t.embed[:, 4]
    codes = model.encode(torch.randn(4, 3, 64, 64))
    assert 9 not in codes


def test_flat_codes_of_a_square_are_taken_for_a_batch() -> None:
    model = tokenizer()
    codes = torch.randint(32, (3, 4, 4))
    assert torch.equal(model.decode(codes.flatten(1)), model.decode(codes))


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(3, 16, 16),
        torch.zeros(1, 4, 16, 16),
        torch.zeros(1, 3, 12, 16),
        torch.zeros(0, 3, 16, 16),
        torch.zeros(1, 3, 16, 16, dtype=torch.uint8),
    ],
)
def test_pictures_that_do_not_fit(images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"images|multiples"):
        tokenizer().encode(images)


@pytest.mark.parametrize(
    "codes",
    [
        torch.full((1, 2, 2), 32),
        torch.full((1, 2, 2), -1),
        torch.zeros(1, 2, 2),
        torch.zeros(1, 3, dtype=torch.int64),
        torch.zeros(4, dtype=torch.int64),
        torch.zeros(1, 0, 0, dtype=torch.int64),
    ],
)
def test_codes_that_do_not_fit(codes: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="codes"):
        tokenizer().decode(codes)


def test_pixels_go_there_and_back() -> None:
    pixels = torch.rand(2, 3, 8, 8)
    assert torch.allclose(to_pixels(normalised(pixels)), pixels, atol=1e-6)
    white = normalised(torch.ones(1, 3, 1, 1)).flatten().tolist()
    assert white == pytest.approx([0.68821, 0.73513, 0.75183], abs=1e-5)
