"""Quantised on the way, and official quantised checkpoints taken over as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

import glm_codegen  # noqa: F401 (announces CodeGeeX to the Auto classes)
from glm_codegen.convert.official_quantization import adopt
from glm_protocol.errors import BadRequest, ModelUnusable
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.quantized_weight import QuantizationScheme, QuantizedWeight
from tests.codegen.convert.converting import converted
from tests.codegen.convert.published_layouts import rank_slices, write_config
from tests.codegen.models.reference_cases import (
    DATA,
    PROMPTS,
    VERSIONS,
    greedy_continuation,
    published_config,
    published_weights,
    reference_cases,
)

INT8 = QuantizationScheme(bits=8)
INT4 = QuantizationScheme(bits=4, group_size=16)
MATRICES = ("query", "key", "value", "dense", "dense_h_to_4h", "dense_4h_to_h", "query_key_value")


def _model(folder: Path) -> Any:
    """The folder's model in float32, its packed weights multiplied out."""
    checkpoint = open_checkpoint(folder)
    state = {
        name: weight.float()
        if isinstance(weight, torch.Tensor)
        else weight.dequantize(torch.float32)
        for name, weight in checkpoint.weights()
    }
    raw = json.loads((folder / "config.json").read_text())
    del raw["glm_quantization"]
    build: Any = AutoModelForCausalLM.from_config
    model = build(AutoConfig.for_model(**raw))
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert set(missing) <= {"lm_head.weight"}
    assert not unexpected
    model.tie_weights()
    return model.float().eval()


@torch.no_grad()
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("scheme", [INT8, INT4], ids=["int8", "int4 of 16"])
def test_logits_of_a_quantised_model(
    version: str, scheme: QuantizationScheme, tmp_path: Path
) -> None:
    converted(DATA / version, tmp_path / "made", scheme=scheme)
    model, cases = _model(tmp_path / "made"), reference_cases(version)
    worst, same, total, best = 0.0, 0, 0, list[torch.Tensor]()
    for index in PROMPTS:
        logits, reference = model(cases.prompt(index)).logits[0], cases.logits(index)
        worst = max(worst, float((logits - reference).norm() / reference.norm()))
        best.append(logits.argmax(-1) == reference.argmax(-1))
        greedy = cases.greedy(index)
        found = greedy_continuation(model, cases.prompt(index), len(greedy))
        same += sum(a == b for a, b in zip(found, greedy, strict=True))
        total += len(greedy)
    share = float(torch.cat(best).float().mean())
    print(
        f"{version} int{scheme.bits}: logits {worst:.2%} off, best token the same at {share:.0%} of"
        f" positions, {same} of {total} tokens of the greedy continuations"
    )
    if scheme.bits == 8:
        assert worst <= 0.05


@pytest.mark.parametrize("version", VERSIONS)
def test_matrices_of_the_layers_and_no_others_are_packed(version: str, tmp_path: Path) -> None:
    converted(DATA / version, tmp_path / "made", scheme=INT8)
    packed = {
        name
        for name, weight in open_checkpoint(tmp_path / "made").weights()
        if isinstance(weight, QuantizedWeight)
    }
    names = [name for name in published_weights(version) if name.endswith(".weight")]
    fused = sum("query_key_value" in name for name in names)
    wanted = sum(name.split(".")[-2] in MATRICES for name in names) + 2 * fused
    assert len(packed) == wanted
    assert not any("embed" in name or "lm_head" in name for name in packed)


def test_a_quantised_13b_is_not_mistaken_for_a_plain_one(tmp_path: Path) -> None:
    converted(DATA / "v1", tmp_path / "made", scheme=INT8)
    with pytest.raises(ValueError, match="quantised by glm-lsp"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "made")


def _official(weights: dict[str, torch.Tensor], bits: int) -> dict[str, torch.Tensor]:
    """As the projects' own routine stores it: a scale a row, int4 even columns high."""
    found: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        if name.split(".")[-2] not in MATRICES or not name.endswith(".weight"):
            found[name] = weight
            continue
        largest = 127 if bits == 8 else 7
        scale = (weight.float().abs().amax(1) / largest).half()
        values = (weight.float() / scale.float()[:, None]).round().clamp(-largest, largest)
        values = values.to(torch.int8)
        if bits == 4:
            values = (values[:, 0::2] << 4) | (values[:, 1::2] & 15)
        found[name], found[name + "_scale"] = values, scale
    return found


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_official_quantised_checkpoints_are_kept_exactly(
    version: str, bits: int, tmp_path: Path
) -> None:
    weights = _official(published_weights(version), bits)
    source = tmp_path / "source"
    source.mkdir()
    torch.save(weights, source / "pytorch_model.bin")
    if version == "v1":
        write_config(source, published_config("v1"))
    else:
        config = {**published_config(version), "quantization_bit": bits}
        (source / "config.json").write_text(json.dumps(config))
    converted(source, tmp_path / "made")
    config = json.loads((tmp_path / "made/config.json").read_text())
    assert config["glm_quantization"] == {"bits": bits, "group_size": 0}
    made = dict(open_checkpoint(tmp_path / "made").weights())
    prefix = "language_model.transformer.topQueryLayer."
    name, native = {
        "v1": (prefix + "attention.key", "top_query_layer.self_attn.k_proj"),
        "v2": ("transformer.encoder.layers.1.mlp.dense_4h_to_h", "layers.1.mlp.down_proj"),
    }[version]  # fmt: skip
    kept = made[f"model.{native}.weight"]
    assert isinstance(kept, QuantizedWeight)
    values = weights[name + ".weight"]
    if bits == 4:
        pair = torch.stack((values >> 4, (values << 4) >> 4), dim=-1)
        values = pair.reshape(values.shape[0], -1)
    wanted = values.float() * weights[name + ".weight_scale"].float()[:, None]
    assert torch.equal(kept.dequantize(torch.float32), wanted)
    with pytest.raises(BadRequest, match="quantised already"):
        converted(source, tmp_path / "again", scheme=INT4)


def test_every_int4_value_is_carried_over() -> None:
    stored = torch.arange(-128, 128, dtype=torch.int16).to(torch.int8).view(16, 16)
    packed = adopt(stored, torch.ones(16, dtype=torch.float16), bits=4)
    signed = torch.stack((stored >> 4, (stored << 4) >> 4), dim=-1).view(16, 32)
    assert torch.equal(packed.dequantize(torch.float32), signed.float())


def test_quantised_forms_that_are_not_known(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(published_config("v2")))
    name = "transformer.encoder.layers.0.self_attention.dense.weight"
    changes: list[tuple[str, dict[str, torch.Tensor]]] = [
        ("neither int8 nor int4", {name: torch.zeros(64, 48, dtype=torch.int8)}),
        ("no known form", {name: torch.zeros(64, 64, dtype=torch.uint8)}),
        ("scale", {name + "_scale": torch.ones(63, dtype=torch.float16)}),
        ("not finite", {name + "_scale": torch.full((64,), float("inf"), dtype=torch.float16)}),
    ]
    for message, change in changes:
        save_file({**_official(published_weights("v2"), 8), **change}, source / "model.safetensors")
        with pytest.raises(ModelUnusable, match=message) as caught:
            converted(source, tmp_path / "made")
        assert name in caught.value.message
    without = _official(published_weights("v2"), 8)
    del without[name + "_scale"]
    save_file(without, source / "model.safetensors")
    with pytest.raises(ModelUnusable, match="holds torch.int8 without scales"):
        converted(source, tmp_path / "made")


def test_quantised_ranks_are_refused(tmp_path: Path) -> None:
    for rank, held in enumerate(rank_slices(published_weights("v1"), 2, fuse=False)):
        torch.save(_official(held, 8), tmp_path / f"mp_rank_{rank:02d}_model_states.pt")
    write_config(tmp_path, published_config("v1"))
    with pytest.raises(ModelUnusable, match="quantised and split over ranks"):
        converted(tmp_path, tmp_path / "made")
