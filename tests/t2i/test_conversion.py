"""Official pickles become safetensors that load; hostile or broken ones become clear errors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from glm_protocol.errors import BadRequest, ModelUnusable, Unsupported
from glm_t2i import convert_command, load_model
from glm_t2i.conversion import convert_checkpoint, derived_config, picture_kind
from glm_t2i.models.weights_file import open_weights

MODELS = {
    "vqvae": "vqvae",
    "cogview1": "cogview",
    "cogview2_coglm": "coglm",
    "cogview2_dsr": "direct_sr",
    "cogview2_itersr": "iterative_sr",
}


def checkpoint(data: Path, name: str, folder: Path) -> Path:
    """A folder as published: iteration, first rank, weights under `module`."""
    weights = load_file(data / f"{name}_model.safetensors")
    (folder / "17").mkdir(parents=True)
    (folder / "latest_checkpointed_iteration.txt").write_text("17\n")
    torch.save({"module": weights, "iteration": 17}, folder / "17" / "mp_rank_00_model_states.pt")
    (folder / "model_config.json").write_text((data / f"{name}.json").read_text())
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_published_folder_becomes_a_model(name: str, data: Path, tmp_path: Path) -> None:
    source, made = checkpoint(data, name, tmp_path / "source"), tmp_path / "new" / "made"
    assert convert_checkpoint(source, made) == MODELS[name]
    state = load_model(made / "model.safetensors", made / "config.json").state_dict()
    for key, value in load_file(data / f"{name}_model.safetensors").items():
        assert torch.equal(state[key], value)
    assert [path.name for path in made.parent.iterdir()] == ["made"]


def test_wrapped_keys_of_a_single_file(data: Path, tmp_path: Path) -> None:
    weights = load_file(data / "vqvae_model.safetensors")
    file = tmp_path / "vqvae.pt"
    torch.save({f"module.{key}": value for key, value in weights.items()}, file)
    assert convert_checkpoint(file, tmp_path / "made") == "vqvae"
    config = json.loads((tmp_path / "made" / "config.json").read_text())
    assert config == {
        "channel": 32, "n_res_block": 0, "embed_dim": 16, "n_embed": 256, "stride": 6,
        "simple": True,
    }  # fmt: skip


def test_released_sizes_come_from_the_shapes(data: Path) -> None:
    stored = open_weights([data / "cogview2_dsr_model.safetensors"])
    config = derived_config("direct_sr", stored)
    assert config["layout"] == [96, 496, 4096]
    assert (config["num_layers"], config["hidden_size"]) == (2, 64)
    assert config["new_sequence_length"] == 154


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch hostile_code_has_run",)


def test_code_in_a_pickle_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"module": Hostile()}, tmp_path / "bad.pt")
    with pytest.raises(ModelUnusable, match="no checkpoint of plain weights"):
        convert_checkpoint(tmp_path / "bad.pt", tmp_path / "made")
    assert {path.name for path in tmp_path.iterdir()} == {"bad.pt"}


@pytest.mark.parametrize("content", [b"", b"no pickle", b"PK\x03\x04 cut"])
def test_files_that_are_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.pt").write_bytes(content)
    with pytest.raises(ModelUnusable, match=r"bad\.pt"):
        convert_checkpoint(tmp_path / "bad.pt", tmp_path / "made")
    with pytest.raises(ModelUnusable, match="cannot be read"):
        convert_checkpoint(tmp_path / "none.pt", tmp_path / "made")


@pytest.mark.parametrize(
    "content", [{}, {"module": {"a": 1}}, [torch.zeros(2)], {"a": torch.zeros(2, 2)}]
)
def test_pickles_of_something_else(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ModelUnusable):
        convert_checkpoint(tmp_path / "other.pt", tmp_path / "made")
    assert {path.name for path in tmp_path.iterdir()} == {"other.pt"}


def test_ranks_and_destinations(data: Path, tmp_path: Path) -> None:
    source = checkpoint(data, "cogview1", tmp_path / "source")
    (tmp_path / "there").mkdir()
    with pytest.raises(BadRequest, match="there already"):
        convert_checkpoint(source, tmp_path / "there")
    (source / "17" / "mp_rank_01_model_states.pt").write_bytes(b"")
    with pytest.raises(Unsupported, match="2 ranks"):
        convert_checkpoint(source, tmp_path / "made")


@pytest.mark.parametrize("name", MODELS)
def test_command_tells_pictures_by_keys(name: str, data: Path, tmp_path: Path) -> None:
    source = checkpoint(data, name, tmp_path / "source")
    assert picture_kind(source) == MODELS[name]
    assert convert_command.run([str(source), str(tmp_path / "made")]) == 0
    assert (tmp_path / "made" / "config.json").is_file()


def test_command_leaves_other_sources_alone(tmp_path: Path) -> None:
    code = tmp_path / "code.pt"
    torch.save({"module": {"language_model": {"embedding": torch.zeros(2)}}}, code)
    torch.save({"transformer.layer.weight": torch.zeros(2)}, tmp_path / "other.bin")
    for argv in (
        [str(code), "made"],
        [str(tmp_path / "other.bin"), "made"],
        [str(tmp_path), "made"],
        [str(tmp_path / "none.pt"), "made"],
        ["--help"],
        [str(code), "made", "--bits", "8"],
    ):
        assert convert_command.run(argv) is None
