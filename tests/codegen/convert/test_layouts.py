"""Every published layout becomes the same tensors, to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.codegen.convert.converting import converted, tensors_of
from tests.codegen.convert.published_layouts import LAYOUTS, write_config, write_shards
from tests.codegen.models.reference_cases import DATA, published_config, published_weights


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    made = tmp_path_factory.mktemp("reference") / "v1"
    converted(DATA / "v1", made)
    return tensors_of(made)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_the_13b(
    layout: str, reference: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    LAYOUTS[layout](source, published_weights("v1"))
    write_config(source, published_config("v1"))
    report = converted(source, tmp_path / "made")
    found = tensors_of(tmp_path / "made")
    assert found.keys() == reference.keys()
    assert all(torch.equal(found[name], reference[name]) for name in found)
    assert report.architecture == "CodeGeeXForCausalLM"
    assert report.dropped == ()


@pytest.mark.parametrize("version", ["v2", "v4"])
def test_shards_of_the_chatglm_family(version: str, tmp_path: Path) -> None:
    """.bin shards with an index in, several safetensors with an index out."""
    source = tmp_path / "source"
    source.mkdir()
    write_shards(source, published_weights(version), 3)
    (source / "config.json").write_text(json.dumps(published_config(version)))
    report = converted(source, tmp_path / "made", shard_bytes=100_000)
    assert report.dropped == ("transformer.rotary_pos_emb.inv_freq",)
    converted(DATA / version, tmp_path / "whole")
    found, whole = tensors_of(tmp_path / "made"), tensors_of(tmp_path / "whole")
    assert found.keys() == whole.keys()
    assert all(torch.equal(found[name], whole[name]) for name in found)
    files = sorted(file.name for file in (tmp_path / "made").glob("*.safetensors"))
    assert len(files) > 2
    index = json.loads((tmp_path / "made/model.safetensors.index.json").read_text())
    assert sorted(set(index["weight_map"].values())) == files
    assert index["weight_map"].keys() == found.keys()


def test_values_are_where_the_names_say(reference: dict[str, torch.Tensor]) -> None:
    published = published_weights("v1")
    prefix = "language_model.transformer."
    pairs = {
        "model.top_query_layer.self_attn.k_proj.weight": prefix
        + "topQueryLayer.attention.key.weight",
        "model.layers.2.mlp.down_proj.bias": prefix + "layers.2.mlp.dense_4h_to_h.bias",
        "model.norm.weight": prefix + "final_layernorm.weight",
    }
    for native, name in pairs.items():
        assert torch.equal(reference[native], published[name])


def test_every_weight_and_what_it_came_from_is_told(tmp_path: Path) -> None:
    converted(DATA / "v2", tmp_path / "made")
    told = json.loads((tmp_path / "made/conversion.json").read_text())
    assert told["weights"].keys() == tensors_of(tmp_path / "made").keys()
    assert set(told["weights"].values()) | set(told["dropped"]) == published_weights("v2").keys()


def test_config_holds_every_number(tmp_path: Path) -> None:
    for version in ("v2", "v4"):
        converted(DATA / version, tmp_path / version)
        config = json.loads((tmp_path / version / "config.json").read_text())
        given = published_config(version)
        assert config["rms_norm_eps"] == given["layernorm_epsilon"]
        assert config["rope_parameters"]["rope_theta"] == 10000 * given.get("rope_ratio", 1)
        assert config["eos_token_id"] == 2
        assert config["pad_token_id"] is None
        assert config["model_type"] == "glm"
        assert config["dtype"] == "float16"
