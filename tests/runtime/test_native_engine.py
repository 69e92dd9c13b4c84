"""The native engine computes what transformers computes, for every architecture and way of use.

Weights are quantised in the file, so that both sides have the very same ones; what remains is the
rounding of activations and of kept keys and values.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glm_runtime.causal_model import RowTokens
from glm_runtime.checkpoint import Checkpoint, open_checkpoint
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.lora_weights import LoraPair, LoraWeights
from glm_runtime.model_config import ModelConfig
from glm_runtime.model_loading import load_model
from glm_runtime.native import engine_library, native_loading
from glm_runtime.native.engine_build import NoCompiler
from glm_runtime.native.engine_library import KERNELS, PAGE, kernel_names, load_library
from glm_runtime.native.native_loading import load_native_model, shape_of
from glm_runtime.native.native_model import NativeModel
from glm_runtime.native.native_shape import native_shape
from tests.runtime.native_configs import BASE as BASE
from tests.runtime.native_configs import CONFIGS
from tests.runtime.tiny_models import VOCABULARY, quantized, random_weights, write_model

try:
    NAMES = kernel_names(load_library())
except NoCompiler as missing:
    pytest.skip(f"no native engine here: {missing}", allow_module_level=True)

PLACEMENT = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())
TOKENS = [int(x) for x in np.random.default_rng(1).integers(0, VOCABULARY, 75)]


def stored(folder: Path, config: dict[str, Any], *, bits: int = 8, group: int = 32) -> Checkpoint:
    scheme = {"glm_quantization": {"bits": bits, "group_size": group}}
    weights = quantized(random_weights(config), bits, group)
    return open_checkpoint(write_model(folder, {**config, **scheme}, weights=weights))


def native(checkpoint: Checkpoint) -> NativeModel:
    shape = shape_of(checkpoint)
    assert shape is not None, "the native engine does not take this architecture"
    return load_native_model(checkpoint, shape)


def reference(checkpoint: Checkpoint, tokens: list[int]) -> np.ndarray:
    model: Any = load_model(checkpoint, PLACEMENT, native=False)[0]
    with torch.inference_mode():
        logits: np.ndarray = model.model(input_ids=torch.tensor([tokens])).logits[0].numpy()
    return logits


def whole(model: NativeModel, tokens: list[int]) -> np.ndarray:
    row = RowTokens(store=model.new_store(), tokens=tokens, wanted=len(tokens))
    return model.forward_rows([row])[0]


def assert_close(got: np.ndarray, wanted: np.ndarray, allowed: float = 0.015) -> None:
    """A wrong rotation, norm or bias gives an error near 1; kept bfloat16 keys about 0.008."""
    error = np.sqrt(np.square(got - wanted).mean()) / wanted.std()
    assert error < allowed, f"error {error:.4f} of the logits' deviation"


@pytest.fixture(scope="module")
def glm(tmp_path_factory: pytest.TempPathFactory) -> NativeModel:
    return native(stored(tmp_path_factory.mktemp("glm"), BASE))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_architecture_against_transformers(tmp_path: Path, name: str) -> None:
    checkpoint = stored(tmp_path, CONFIGS[name])
    assert_close(whole(native(checkpoint), TOKENS), reference(checkpoint, TOKENS))


@pytest.mark.parametrize("kernels", NAMES)
@pytest.mark.parametrize(("bits", "group"), [(8, 32), (8, 64), (4, 32), (4, 0)])
def test_every_instruction_set_and_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernels: str, bits: int, group: int
) -> None:
    config = {**BASE, "intermediate_size": 128}
    checkpoint = stored(tmp_path, config, bits=bits, group=group)
    monkeypatch.setenv(KERNELS, kernels)
    model = native(checkpoint)
    assert model.kernels == kernels
    assert_close(whole(model, TOKENS), reference(checkpoint, TOKENS))


def test_one_term_of_activations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = stored(tmp_path, BASE)
    monkeypatch.setattr(native_loading, "ONE_TERM_ABOVE", 0)
    assert_close(whole(native(checkpoint), TOKENS), reference(checkpoint, TOKENS), allowed=0.1)


@pytest.mark.parametrize("width", range(1, 17))
def test_any_width_of_step_gives_the_same_bits(glm: NativeModel, width: int) -> None:
    store = glm.new_store()
    parts = [TOKENS[first : first + width] for first in range(0, 64, width)]
    rows = [RowTokens(store=store, tokens=part, wanted=len(part)) for part in parts]
    stepped = np.concatenate([glm.forward_rows([row])[0] for row in rows])
    assert np.array_equal(stepped, whole(glm, [token for part in parts for token in part]))


def test_threads_change_nothing(glm: NativeModel) -> None:
    alone = whole(glm, TOKENS)
    for count in (2, 3):
        glm.use_threads(count)
        assert np.array_equal(whole(glm, TOKENS), alone)
    glm.use_threads(1)


def test_rows_beside_each_other_are_as_alone(glm: NativeModel) -> None:
    prompts = [TOKENS[:30], TOKENS[5:22], TOKENS[40:41], TOKENS[10:70]]
    stores = [glm.new_store() for _ in prompts]
    rows = [
        RowTokens(store=store, tokens=prompt) for store, prompt in zip(stores, prompts, strict=True)
    ]
    for got, prompt in zip(glm.forward_rows(rows), prompts, strict=True):
        assert np.array_equal(got[0], whole(glm, prompt)[-1])
    # A prefill of one row beside a step of another.
    mixed = [
        RowTokens(store=stores[0], tokens=[7]),
        RowTokens(store=stores[1], tokens=TOKENS[:20], wanted=20),
    ]
    one, many = glm.forward_rows(mixed)
    assert np.array_equal(one[0], whole(glm, [*prompts[0], 7])[-1])
    assert np.array_equal(many, whole(glm, prompts[1] + TOKENS[:20])[-20:])


@pytest.mark.parametrize("kept", [1, PAGE - 1, PAGE, PAGE + 1, 40])
def test_cut_and_go_on(glm: NativeModel, kept: int) -> None:
    store = glm.new_store()
    glm.forward(TOKENS[:60], store)
    store.cut(kept)
    assert np.array_equal(glm.forward([9, 8, 7], store), whole(glm, [*TOKENS[:kept], 9, 8, 7])[-1])


@pytest.mark.parametrize("shared", [PAGE, PAGE + 5, 2 * PAGE])
def test_a_fork_shares_pages_and_neither_sees_the_other(glm: NativeModel, shared: int) -> None:
    first = glm.new_store()
    glm.forward(TOKENS[:shared], first)
    free = glm.pool.free
    second = first.fork(shared)
    assert glm.pool.free == free
    glm.forward([1, 2, 3], first)
    glm.forward([4, 5], second)
    wanted = whole(glm, [*TOKENS[:shared], 1, 2, 3, 6])[-1]
    assert np.array_equal(glm.forward([6], first), wanted)
    wanted = whole(glm, [*TOKENS[:shared], 4, 5, 6])[-1]
    assert np.array_equal(glm.forward([6], second), wanted)


def test_pages_come_back(glm: NativeModel) -> None:
    free = glm.pool.free
    store = glm.new_store()
    glm.forward(TOKENS, store)
    other = store.fork(20)
    assert glm.pool.free < free
    store.clear()
    del other
    assert glm.pool.free == free


def test_no_page_left_is_an_error_that_harms_nobody(tmp_path: Path) -> None:
    model = native(stored(tmp_path, BASE))
    held = [model.pool.take() for _ in range(model.pool.free - 2)]
    store = model.new_store()
    model.forward(TOKENS[:30], store)
    with pytest.raises(MemoryError, match="page"):
        model.forward(TOKENS[:10], store)
    for page in held:
        model.pool.release(page)
    store.cut(30)
    assert np.array_equal(model.forward([5], store), whole(model, [*TOKENS[:30], 5])[-1])


@pytest.mark.parametrize("token", [-1, VOCABULARY])
def test_tokens_out_of_range_are_refused(glm: NativeModel, token: int) -> None:
    with pytest.raises(ValueError, match="refused"):
        glm.forward([token], glm.new_store())


def test_values_that_are_not_finite_come_out_as_such(tmp_path: Path) -> None:
    weights = random_weights(BASE)
    weights["model.norm.weight"][3] = 3e38
    folder = write_model(tmp_path, BASE, weights=weights)
    assert not np.isfinite(whole(native(open_checkpoint(folder)), TOKENS[:4])).all()


@pytest.mark.parametrize("name", ["glm", "llama"])
def test_an_adapter_on_some_rows(tmp_path: Path, name: str) -> None:
    checkpoint = stored(tmp_path, CONFIGS[name])
    model = native(checkpoint)
    gate = "mlp.gate_up_proj" if name == "glm" else "mlp.up_proj"
    rows = {"self_attn.q_proj": (64, 64), "self_attn.v_proj": (32, 64),
            "self_attn.o_proj": (64, 64), "mlp.down_proj": (64, 96),
            gate: (192 if name == "glm" else 96, 64)}  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    pairs = {
        f"model.layers.{layer}.{part}": LoraPair(
            a_RI=torch.randn(3, columns, generator=generator) * 0.2,
            b_OR=torch.randn(count, 3, generator=generator) * 0.2,
        )
        for layer in range(2)
        for part, (count, columns) in rows.items()
    }
    lora = LoraWeights(name="mine", pairs=pairs)
    torch_model = load_model(checkpoint, PLACEMENT, native=False)[0]
    with torch.inference_mode():
        wanted = torch_model.forward(TOKENS[:20], torch_model.new_store(lora)).numpy()
    plain, adapted = model.new_store(), model.new_store(lora)
    got = model.forward_rows(
        [RowTokens(store=plain, tokens=TOKENS[:20]), RowTokens(store=adapted, tokens=TOKENS[:20])]
    )
    assert_close(got[1][0], wanted)
    assert np.array_equal(got[0][0], whole(model, TOKENS[:20])[-1])
    assert np.abs(got[0][0] - got[1][0]).max() > 0.1


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_act": "gelu"},
        {"head_dim": 8},
        {"rope_parameters": {"rope_type": "yarn", "factor": 2.0}},
        {"num_key_value_heads": 3},
        {"hidden_size": "64"},
        {"use_sliding_window": True},
    ],
)
def test_other_models_are_left_to_torch(change: dict[str, Any]) -> None:
    fields = {key: BASE[key] for key in BASE if key not in ("model_type", "architectures")}
    config = ModelConfig(
        model_type="glm",
        architecture="GlmForCausalLM",
        fields=fields,
        scheme=None,
        trained_length=None,
    )
    assert native_shape(config) is not None
    assert native_shape(replace(config, fields={**fields, **change})) is None
    assert native_shape(replace(config, model_type="gpt2")) is None


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine_library.SWITCH, "0")
    with pytest.raises(NoCompiler, match="turns it off"):
        load_library.__wrapped__()
