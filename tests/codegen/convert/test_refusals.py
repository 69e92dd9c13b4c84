"""Bad input: each is refused with one sentence that names it, and nothing is left at DST."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from safetensors.torch import save_file

from glm_protocol.errors import BadRequest, GlmError, ModelUnusable
from glm_runtime.quantized_weight import QuantizationScheme
from tests.codegen.convert.converting import converted
from tests.codegen.convert.published_layouts import (
    LAYOUTS,
    nested,
    rank_slices,
    write_config,
    write_shards,
)
from tests.codegen.models.reference_cases import published_config, published_weights

V1 = "language_model.transformer."
V2 = "transformer.encoder."
Weights = dict[str, torch.Tensor]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def _refused(source: Path, message: str, **options: Any) -> GlmError:
    destination = source.parent / "made"
    with pytest.raises(GlmError, match=message) as caught:
        converted(source, destination, **options)
    assert not destination.exists()
    assert caught.value.remedy
    return caught.value


def _put(source: Path, version: str, change: Callable[[Weights], object] | None = None) -> None:
    weights = published_weights(version)
    if change is not None:
        change(weights)
    save_file(weights, source / "model.safetensors")
    if version == "v1":
        write_config(source, published_config("v1"))
    else:
        (source / "config.json").write_text(json.dumps(published_config(version)))


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("v1", V1 + "layers.1.attention.query.weight"),
        ("v1", V1 + "topQueryLayer.mlp.dense_4h_to_h.bias"),
        ("v1", V1 + "final_layernorm.weight"),
        ("v1", "language_model.topQueryEmbedding.top_query_embeddings.weight"),
        ("v2", V2 + "layers.2.self_attention.query_key_value.bias"),
        ("v4", "transformer.output_layer.weight"),
    ],
)
def test_a_missing_key_is_named(source: Path, version: str, name: str) -> None:
    _put(source, version, lambda weights: weights.pop(name))
    error = _refused(source, "lack")
    assert name.removeprefix("language_model.") in error.message


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("v1", V1 + "layers.0.attention.rotary.weight"),
        ("v1", "something.else"),
        ("v2", V2 + "layers.0.self_attention.dense.bias"),
        ("v2", V2 + "layers.7.input_layernorm.weight"),
        ("v4", "transformer.vision.patch.weight"),
    ],
)
def test_an_unknown_key_is_named(source: Path, version: str, name: str) -> None:
    _put(source, version, lambda weights: weights.update({name: torch.ones(64)}))
    assert name in _refused(source, "keys that").message


def test_a_missing_layer_in_the_middle_is_named(source: Path) -> None:
    def without_layer_1(weights: Weights) -> None:
        for name in [name for name in weights if "layers.1." in name]:
            del weights[name]

    _put(source, "v1", without_layer_1)
    assert "layers.1." in _refused(source, "lack").message


@pytest.mark.parametrize(
    ("version", "name", "shape"),
    [
        ("v1", V1 + "layers.1.attention.key.weight", (64, 63)),
        ("v1", V1 + "layers.0.mlp.dense_h_to_4h.bias", (255,)),
        ("v2", V2 + "layers.0.mlp.dense_4h_to_h.weight", (112, 64)),
        ("v2", V2 + "layers.0.self_attention.query_key_value.weight", (126, 64)),
        ("v4", "transformer.embedding.word_embeddings.weight", (500, 64)),
    ],
)
def test_a_wrong_shape_is_named(
    source: Path, version: str, name: str, shape: tuple[int, ...]
) -> None:
    _put(source, version, lambda weights: weights.update({name: torch.ones(shape).half()}))
    error = _refused(source, "shape|rows")
    assert name.removeprefix("language_model.") in error.message


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.9999])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_torn_file_is_named(source: Path, suffix: str, share: float) -> None:
    layout = "nested .pt" if suffix == ".pt" else "flat safetensors"
    LAYOUTS[layout](source, published_weights("v1"))
    write_config(source, published_config("v1"))
    (file,) = source.glob("*" + suffix)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    assert file.name in _refused(source, "cannot be read|is cut short").message


def test_a_missing_shard_is_named(source: Path) -> None:
    write_shards(source, published_weights("v2"), 3)
    (source / "config.json").write_text(json.dumps(published_config("v2")))
    (source / "pytorch_model-00002-of-00003.bin").unlink()
    _refused(source, "lacks the shard pytorch_model-00002-of-00003.bin")


def test_ranks_must_be_whole_and_agree(source: Path) -> None:
    held = rank_slices(published_weights("v1"), 4, fuse=False)
    write_config(source, published_config("v1"))

    def save() -> None:
        for rank, part in enumerate(held):
            torch.save(nested(part), source / f"mp_rank_{rank:02d}_model_states.pt")

    save()
    (source / "mp_rank_02_model_states.pt").unlink()
    _refused(source, "lacks mp_rank_02")
    changed = dict(held[3])
    name = V1 + "layers.0.input_layernorm.weight"
    held[3][name] = held[3][name] + 1
    save()
    _refused(source, "disagree about .*layers.0.input_layernorm.weight")
    held[3] = changed
    short = V1 + "layers.0.attention.dense.weight"
    held[3][short] = held[3][short][:32]
    save()
    _refused(source, "do not fit together at .*layers.0.attention.dense.weight")


def test_code_in_a_pickle_is_never_run(source: Path) -> None:
    torch.save({"module": {"args": Path("x")}}, source / "codegeex.pt")
    _refused(source, "holds more than tensors")


def test_arrays_of_objects_are_never_unpickled(source: Path) -> None:
    numpy.save(source / "backbone.layernorm.gamma.npy", numpy.array([Path("x")]), allow_pickle=True)
    _refused(source, "cannot be read")


def test_values_that_are_not_finite_are_named(source: Path) -> None:
    name = V1 + "layers.0.mlp.dense_4h_to_h.weight"
    _put(source, "v1", lambda weights: weights[name].fill_(float("nan")))
    assert "dense_4h_to_h" in _refused(source, "not finite").message
    scheme = QuantizationScheme(bits=8)
    assert "dense_4h_to_h" in _refused(source, "not finite", scheme=scheme).message
    assert [path.name for path in source.parent.iterdir()] == ["source"]


@pytest.mark.parametrize(
    ("version", "change", "message"),
    [
        ("v1", {"num_attention_heads": None}, "does not say num_attention_heads,"),
        ("v1", {"eos": None, "layernorm_epsilon": None}, "layernorm_epsilon, eos_token_id"),
        ("v1", {"hidden_size": 65}, "says hidden_size 65; .* has 64"),
        ("v1", {"num_layers": 4}, "says num_layers 4"),
        ("v1", {"num_attention_heads": 7, "head_dim": None}, "7 heads do not divide"),
        ("v1", {"activation": "gelu"}, "activation"),
        ("v1", {"padded_vocab_size": 600}, "512 rows"),
        ("v1", {"layernorm_epsilon": -1}, "layernorm_epsilon must be a positive number"),
        ("v2", {"layernorm_epsilon": None}, "does not say layernorm_epsilon"),
        ("v2", {"eos_token_id": "x"}, "eos_token_id must hold ids"),
        ("v2", {"eos_token_id": None, "num_layers": None}, "num_layers, eos_token_id"),
        ("v2", {"multi_query_group_num": None}, "does not say multi_query_group_num"),
        ("v2", {"multi_query_group_num": 3}, "do not split into 3 groups"),
        ("v2", {"rmsnorm": False}, "rmsnorm False cannot be converted"),
        ("v2", {"pre_seq_len": 128}, "P-tuning"),
    ],
)
def test_numbers_that_are_missing_or_contradict(
    source: Path, version: str, change: dict[str, object], message: str
) -> None:
    _put(source, version)
    config = {**published_config(version), **change}
    config = {key: value for key, value in config.items() if value is not None}
    if version == "v1":
        write_config(source, config)
    else:
        (source / "config.json").write_text(json.dumps(config))
    _refused(source, message)


def test_without_config_the_official_sizes_alone_are_known(source: Path) -> None:
    _put(source, "v1")
    (source / "meta.json").unlink()
    _refused(source, "num_attention_heads, layernorm_epsilon, eos_token_id")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", "not valid JSON"),
        ("config.json", b"[]", "JSON object"),
        ("model.safetensors.index.json", b"{}", "not an index"),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "../b"}}', "no file beside"),
    ],
)
def test_torn_json_is_named(source: Path, name: str, content: bytes, message: str) -> None:
    _put(source, "v2")
    (source / name).write_bytes(content)
    _refused(source, message)


def test_what_is_no_checkpoint(source: Path) -> None:
    _refused(source, "holds no weights")
    _refused(source / "nothing", "There is no")
    (source / "notes.txt").write_text("x")
    _refused(source / "notes.txt", "no weights file")
    save_file({"model.layers.0.weight": torch.ones(2)}, source / "model.safetensors")
    _refused(source, "none of the known layouts")
    _put(
        source,
        "v2",
        lambda weights: weights.update({"transformer.prefix_encoder.x": torch.ones(1)}),
    )
    _refused(source, "P-tuning prefix")


def test_groups_that_do_not_fit_are_named_before_anything_is_written(source: Path) -> None:
    _put(source, "v2")
    with pytest.raises(BadRequest, match="112 columns, which do not split into groups of 32"):
        converted(source, source.parent / "made", scheme=QuantizationScheme(bits=4, group_size=32))
    assert [path.name for path in source.parent.iterdir()] == ["source"]


def test_another_thing_at_dst_is_never_touched(source: Path) -> None:
    _put(source, "v2")
    destination = source.parent / "made"
    destination.mkdir()
    (destination / "mine.txt").write_text("mine")
    with pytest.raises(BadRequest, match="exists already and is not this conversion"):
        converted(source, destination)
    assert [path.name for path in destination.iterdir()] == ["mine.txt"]
    (destination / "mine.txt").unlink()
    assert not converted(source, destination).already  # an empty folder is no obstacle
    assert converted(source, destination).already
    with pytest.raises(BadRequest, match="exists already"):
        converted(source, destination, scheme=QuantizationScheme(bits=8))
    (destination / "model.safetensors").unlink()
    with pytest.raises(BadRequest, match="weights are missing"):
        converted(source, destination)


def test_a_full_disk_is_told_before_the_first_weight(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(source, "v2")
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("glm_codegen.convert.conversion.shutil.disk_usage", lambda _: usage)
    _refused(source, "335.5 kB are still to be written, and 1.0 kB are free")


def test_a_failing_disk_loses_nothing(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _put(source, "v2")

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("glm_codegen.convert.conversion.write_bytes", no_space)
        _refused(source, r"cannot be written \(No space left on device\)")
    assert not converted(source, source.parent / "made").already


def test_unusable_is_a_model_error() -> None:
    with pytest.raises(ModelUnusable):
        converted(Path("/nowhere/at/all"), Path("/nowhere/made"))
