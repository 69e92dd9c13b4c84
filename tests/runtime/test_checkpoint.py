"""Model folders: whole ones load, torn and hostile ones are refused and run nothing."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import glm_runtime
from glm_protocol.errors import ModelUnusable
from glm_runtime.causal_model import CausalModel
from glm_runtime.checkpoint import looks_finite, open_checkpoint
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.glm_model import GlmModel
from glm_runtime.model_loading import load_model
from glm_runtime.transformers_model import TransformersModel
from tests.runtime.tiny_models import GLM, GPT2, LLAMA, quantized, random_weights, write_model

PLACEMENT = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return random_weights(GLM)


@pytest.fixture
def folder(tmp_path: Path, weights: dict[str, torch.Tensor]) -> Path:
    return write_model(tmp_path / "model", weights=weights)


NATIVE = pytest.mark.parametrize("native", [True, False], ids=["native", "transformers"])


def load(folder: Path, **options: Any) -> Any:
    return load_model(open_checkpoint(folder), PLACEMENT, **options)[0]


def logits(model: CausalModel) -> torch.Tensor:
    with torch.inference_mode():
        return model.forward(range(40), model.new_store())


def edit_config(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


UNTIED = {**GLM, "tie_word_embeddings": False, "attention_bias": False}
WHOLE_HEAD = {**GLM, "partial_rotary_factor": 1.0, "rope_theta": 500.0, "rms_norm_eps": 1e-3}


@pytest.mark.parametrize(
    ("config", "ours"),
    [(GLM, True), (UNTIED, True), (WHOLE_HEAD, True), (GLM, False), (LLAMA, False), (GPT2, False)],
    ids=["glm", "untied", "whole head", "glm of transformers", "llama", "gpt2"],
)
def test_loaded_logits_are_those_of_transformers(
    tmp_path: Path, config: dict[str, Any], ours: bool
) -> None:
    import transformers

    weights = random_weights(config, seed=3)
    folder = write_model(tmp_path, config, weights=weights)
    model = load(folder, native=ours)
    assert isinstance(model, GlmModel) == ours
    reference: Any = load(folder, native=False).model.config
    reference = getattr(transformers, config["architectures"][0])(reference)
    reference.load_state_dict(weights, strict=False)
    with torch.inference_mode():
        expected = reference.eval()(input_ids=torch.arange(40)[None]).logits[0, -1]
    assert torch.allclose(logits(model), expected, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"rope_scaling": {"rope_type": "linear", "factor": 2.0}},
        {"hidden_act": "gelu"},
    ],
    ids=["rope", "activation"],
)
def test_what_our_code_does_not_compute_is_left_to_transformers(
    folder: Path, change: dict[str, Any]
) -> None:
    edit_config(folder, **change)
    assert isinstance(load(folder), TransformersModel)


def test_shards_make_the_same_model(tmp_path: Path, folder: Path, weights: Any) -> None:
    sharded = write_model(tmp_path / "sharded", weights=weights, shards=3)
    assert torch.equal(logits(load(sharded)), logits(load(folder)))
    checkpoint = open_checkpoint(sharded)
    assert checkpoint.parameters == sum(tensor.numel() for tensor in weights.values())
    assert checkpoint.stored_bytes == 4 * checkpoint.parameters


@pytest.mark.parametrize(
    ("bits", "group_size", "most"), [(8, 0, 0.05), (8, 16, 0.05), (4, 16, 0.6)]
)
@pytest.mark.parametrize("packed", [False, True])
def test_quantised_folder_is_close(
    tmp_path: Path,
    folder: Path,
    weights: Any,
    bits: int,
    group_size: int,
    most: float,
    packed: bool,
) -> None:
    config = {**GLM, "glm_quantization": {"bits": bits, "group_size": group_size}}
    stored = quantized(weights, bits, group_size)
    model = load(
        write_model(tmp_path / "quantised", config, weights=stored),
        keep_packed_above=0 if packed else 10**9,
    )
    if packed:
        kinds = {type(module).__name__ for module in model.model.modules()}
        assert "QuantizedLinear" in kinds
    else:
        assert isinstance(model, GlmModel)
    expected = logits(load(folder))
    error = (logits(model) - expected).std() / expected.std()
    assert float(error) < most
    unpacked = load(tmp_path / "quantised", native=False)
    assert torch.allclose(logits(model), logits(unpacked), atol=1e-4)


def test_missing_shard_is_named(tmp_path: Path, weights: Any) -> None:
    folder = write_model(tmp_path, weights=weights, shards=2)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelUnusable, match=r"1 of 2 shards are missing.*model-00002"):
        open_checkpoint(folder)


def test_truncated_weights_are_refused(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelUnusable, match="cut short: 100 bytes"):
        open_checkpoint(folder)


@NATIVE
def test_missing_and_unexpected_weights_are_named(folder: Path, weights: Any, native: bool) -> None:
    stored = dict(weights)
    gone = stored.pop("model.layers.1.mlp.down_proj.weight")
    save_file(stored, folder / "model.safetensors")
    with pytest.raises(ModelUnusable, match=r"missing: model\.layers\.1\.mlp\.down_proj"):
        load(folder, native=native)
    save_file(weights | {"extra.weight": gone.clone()}, folder / "model.safetensors")
    with pytest.raises(ModelUnusable, match=r"unexpected: extra\.weight"):
        load(folder, native=native)


@NATIVE
def test_weights_of_another_shape_are_refused(folder: Path, native: bool) -> None:
    edit_config(folder, hidden_size=64)
    with pytest.raises(ModelUnusable, match=r"do not fit their config\.json"):
        load(folder, native=native)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused(folder: Path, weights: Any, value: float) -> None:
    poisoned = {name: tensor.clone() for name, tensor in weights.items()}
    poisoned["model.norm.weight"][7] = value
    save_file(poisoned, folder / "model.safetensors")
    with pytest.raises(
        ModelUnusable, match=r"model\.norm\.weight holds values that are not finite"
    ):
        load(folder)


def test_large_tensors_are_sampled_over_their_whole_length() -> None:
    tensor = torch.zeros(5_000_000)
    tensor[2_000_000:2_000_002] = float("nan")
    assert not looks_finite(tensor)
    assert looks_finite(torch.zeros(5_000_000))


class Canary:
    """Pickled, it would make the file at `path` when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (open, (f"{self.path}", "w"))  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"])
def test_pickled_weights_are_refused_unread(folder: Path, tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(ModelUnusable, match="pickled weights only") as caught:
        load(folder)
    assert "glm-lsp models convert" in caught.value.remedy
    assert not canary.exists()


def test_a_pickle_renamed_to_safetensors_is_refused_unread(folder: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    torch.save({"w": Canary(canary)}, folder / "model.safetensors")
    with pytest.raises(ModelUnusable):
        load(folder)
    assert not canary.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"auto_map": {"AutoModelForCausalLM": "evil.Model", "AutoConfig": "evil.Config"}},
        {"_attn_implementation_internal": "evil/repo"},
        {"attn_implementation": "evil/repo"},
        {"_attn_implementation": "evil/repo"},
        {"experts_implementation": "evil/repo"},
        {"kernels": {"RMSNorm": "evil/repo"}},
        {"rope_parameters": {"auto_map": "evil"}},
        {"layers": [{"kernel_config": {"a": "evil/repo"}}]},
        {"transformers_weights": "../../weights.bin"},
        {"quantization_config": {"quant_method": "gptq"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_config_that_asks_for_code_or_files_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    canary = tmp_path / "canary"
    (folder / "evil.py").write_text(f"open({str(canary)!r}, 'w')\n")
    edit_config(folder, **change)
    with pytest.raises(ModelUnusable):
        load(folder)
    assert not canary.exists()


def test_a_key_that_no_class_declares_is_left_out_and_told(folder: Path) -> None:
    edit_config(folder, fantasy=[1], _commit_hash="x", auto_map=None, glm_trained_length=512)
    checkpoint = open_checkpoint(folder)
    model, notes = load_model(checkpoint, PLACEMENT, native=False)
    assert isinstance(model, TransformersModel)
    assert not hasattr(model.model.config, "fantasy")
    assert notes == ("config keys left out: _commit_hash, auto_map, fantasy",)
    assert checkpoint.config.trained_length == 512


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "not_a_model"}, "does not know"),
        ({"architectures": ["GlmForSequenceClassification"]}, "does not know"),
        ({"architectures": []}, "one architecture"),
        ({"model_type": None}, "model_type"),
        ({"num_hidden_layers": 10**9}, "speaks of 1000000000 layers"),
        ({"hidden_size": 2**40}, "out of range"),
        ({"hidden_size": "32"}, "makes no sense"),
        ({"num_attention_heads": 0}, "config.json"),
        ({"rope_parameters": {"rope_type": "unheard"}}, "config.json"),
        ({"vocab_size": -1}, "config.json"),
        ({"glm_trained_length": "long"}, "glm_trained_length"),
        ({"glm_quantization": {"bits": 3}}, "bits must be"),
        ({"glm_quantization": 8}, "not an object"),
    ],
)
@NATIVE
def test_config_that_makes_no_sense(
    folder: Path, change: dict[str, Any], reason: str, native: bool
) -> None:
    edit_config(folder, **change)
    with pytest.raises(ModelUnusable, match=reason):
        load(folder, native=native)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "[" * 100_000, '{"a":' * 9999])
def test_config_that_is_no_object(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelUnusable, match=r"config\.json"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    "weight_map",
    [
        {"a": "../../etc/passwd"},
        {"a": "/etc/passwd.safetensors"},
        {"a": 1},
        {},
        None,
        {"a": "x.bin"},
    ],
)
def test_index_that_leads_elsewhere(folder: Path, weight_map: Any) -> None:
    index = {"weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelUnusable):
        open_checkpoint(folder)


def test_scales_without_a_scheme_and_the_reverse(folder: Path, weights: Any) -> None:
    stored = quantized(weights, 8, 0)
    save_file(stored, folder / "model.safetensors")
    with pytest.raises(ModelUnusable, match=r"config\.json is not"):
        load(folder)
    del stored["model.layers.0.mlp.down_proj.weight_scale"]
    save_file(stored, folder / "model.safetensors")
    edit_config(folder, glm_quantization={"bits": 8, "group_size": 0})
    with pytest.raises(ModelUnusable, match="without scales"):
        load(folder)


def test_too_large_for_the_memory(folder: Path) -> None:
    from dataclasses import replace

    small = replace(PLACEMENT, memory_budget_bytes=1000)
    with pytest.raises(ModelUnusable, match="GB may be used"):
        load_model(open_checkpoint(folder), small)


def test_no_folder_no_weights(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ModelUnusable, match="no model folder"):
        open_checkpoint(tmp_path / "nowhere")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelUnusable, match=r"no model\.safetensors"):
        open_checkpoint(folder)
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(ModelUnusable, match=r"no config\.json"):
        open_checkpoint(folder)


def test_tied_weights_stay_tied_and_count_once(folder: Path) -> None:
    model = load(folder, native=False).model
    assert model.lm_head.weight is model.model.embed_tokens.weight
    stored = load_file(folder / "model.safetensors")
    assert torch.equal(model.lm_head.weight, stored["model.embed_tokens.weight"])
    assert not any(parameter.requires_grad for parameter in model.parameters())
    bytes_of_weights = sum(tensor.nbytes for tensor in stored.values())
    assert load(folder).weight_bytes == bytes_of_weights


def test_no_code_here_reads_pickles_or_trusts_remote_code() -> None:
    package = Path(glm_runtime.__file__).parent
    banned = (
        "import pickle",
        "torch.load",
        "joblib",
        "allow_pickle",
        "trust_remote_code=True",
        "eval(",
    )
    for file in package.rglob("*.py"):
        code = file.read_text(encoding="utf-8").replace(".eval()", "")
        assert not [word for word in banned if word in code], file
