"""The device's path, walked on the CPU: static cache, buckets, what is recorded, formats, choice.

The stand-in for graphs checks what real ones need: that nothing but the recorded function is
called again, and that it reads and writes the same tensors each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glm_protocol.errors import EngineFailed, ModelUnusable
from glm_runtime.captured.captured_loading import load_captured_model
from glm_runtime.captured.captured_model import BATCHES, VERIFY, WIDTHS, CapturedModel, bucket
from glm_runtime.captured.device_linear import FP8, INT8
from glm_runtime.captured.device_sampling import DeviceLogits, drawn
from glm_runtime.captured.graph_capture import NoGraphs, capture_for
from glm_runtime.causal_model import RowTokens, as_array
from glm_runtime.checkpoint import Checkpoint, open_checkpoint
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.engine import EngineOptions
from glm_runtime.lora_weights import LoraPair, LoraWeights
from glm_runtime.model_loading import load_model
from glm_runtime.native.native_shape import native_shape
from glm_runtime.placed_model import place_model
from glm_runtime.sampling import Sampler, Sampling
from tests.runtime.native_configs import BASE, CONFIGS
from tests.runtime.test_device import Npu
from tests.runtime.tiny_models import VOCABULARY, quantized, random_weights, write_model

PLACEMENT = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())
TOKENS = [int(x) for x in np.random.default_rng(1).integers(0, VOCABULARY, 75)]


class Recording:
    """Graphs that are not there: records each function once and counts how often it is played."""

    name = "recording"

    def __init__(self) -> None:
        self.recorded = 0
        self.played = 0

    def record(self, run: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        for _ in range(3):
            run()

        def play() -> None:
            self.played += 1
            run()

        return play


def captured(checkpoint: Checkpoint, capture: Any = None, **options: Any) -> CapturedModel:
    shape = native_shape(checkpoint.config)
    assert shape is not None
    capture = capture or NoGraphs()
    return load_captured_model(checkpoint, shape, PLACEMENT, capture=capture, **options)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return open_checkpoint(write_model(tmp_path_factory.mktemp("glm"), BASE))


@pytest.fixture(scope="module")
def model(checkpoint: Checkpoint) -> CapturedModel:
    return captured(checkpoint)


def reference(checkpoint: Checkpoint, tokens: list[int]) -> np.ndarray:
    plain: Any = load_model(checkpoint, PLACEMENT, native=False)[0]
    with torch.inference_mode():
        logits: np.ndarray = plain.model(input_ids=torch.tensor([tokens])).logits[0].numpy()
    return logits


def stacked(logits: list[DeviceLogits]) -> np.ndarray:
    return np.stack([as_array(one) for one in logits])


@pytest.mark.parametrize("name", CONFIGS)
def test_every_architecture_against_transformers(tmp_path: Path, name: str) -> None:
    checkpoint = open_checkpoint(write_model(tmp_path, CONFIGS[name]))
    model = captured(checkpoint)
    wanted = reference(checkpoint, TOKENS)
    store = model.new_store()
    whole = RowTokens(store=store, tokens=TOKENS[:60], wanted=60)
    got = stacked(model.forward_rows([whole])[0])
    assert np.allclose(got, wanted[:60], atol=2e-4)
    for place in range(60, 75):
        step = as_array(model.forward([TOKENS[place]], store))
        assert np.allclose(step, wanted[place], atol=2e-4)


def test_the_static_cache_equals_a_growing_one_token_for_token(
    checkpoint: Checkpoint, model: CapturedModel
) -> None:
    growing = load_model(checkpoint, PLACEMENT)[0]
    ours, theirs = model.new_store(), growing.new_store()
    said: list[list[int]] = [[], []]
    tokens = TOKENS[:20]
    for _ in range(40):
        logits = model.forward(tokens, ours)
        said[0].append(logits.best)
        said[1].append(int(as_array(growing.forward(tokens, theirs)).argmax()))
        tokens = [said[0][-1]]
    assert said[0] == said[1]


def test_rows_together_are_rows_alone(model: CapturedModel) -> None:
    """Different lengths, a prompt's piece, single tokens and guesses, in one step."""
    lengths, news = (5, 30, 12, 40), (1, 1, 4, 20)
    alone, together = [], []
    for length, new in zip(lengths, news, strict=True):
        wanted = new if new <= VERIFY else 1
        store, other = model.new_store(), model.new_store()
        for one in (store, other):
            model.forward(TOKENS[:length], one)
        tokens = TOKENS[length : length + new]
        alone.append(model.forward_rows([RowTokens(store=store, tokens=tokens, wanted=wanted)])[0])
        together.append(RowTokens(store=other, tokens=tokens, wanted=wanted))
    for got, wanted_rows in zip(model.forward_rows(together), alone, strict=True):
        assert np.allclose(stacked(got), stacked(wanted_rows), atol=1e-4)


def test_a_cut_and_a_fork_are_as_if_computed_anew(model: CapturedModel) -> None:
    store = model.new_store()
    model.forward(TOKENS[:50], store)
    other = store.fork(33)
    store.cut(20)
    for held, one in ((20, store), (33, other)):
        got = as_array(model.forward(TOKENS[40:45], one))
        fresh = as_array(model.forward([*TOKENS[:held], *TOKENS[40:45]], model.new_store()))
        assert np.allclose(got, fresh, atol=1e-4)


def test_each_shape_is_recorded_once_and_played_from_then_on(checkpoint: Checkpoint) -> None:
    capture = Recording()
    model = captured(checkpoint, capture)
    plain = captured(checkpoint)
    store, other = model.new_store(), plain.new_store()
    for tokens in (TOKENS[:30], TOKENS[30:60], [1], [2], [3], [4, 5, 6]):
        assert np.allclose(
            as_array(model.forward(tokens, store)), as_array(plain.forward(tokens, other))
        )
    assert (capture.recorded, capture.played) == (3, 6)  # widths 32, 1 and VERIFY
    rows = [RowTokens(store=model.new_store(), tokens=[7]) for _ in range(3)]
    for _ in range(2):
        model.forward_rows(rows)
    assert (capture.recorded, capture.played) == (4, 8)  # four rows


def test_buckets() -> None:
    assert [bucket(count, BATCHES) for count in (1, 2, 3, 9, 32)] == [1, 2, 4, 16, 32]
    assert bucket(33, WIDTHS) == 128
    with pytest.raises(ValueError, match="more than"):
        bucket(WIDTHS[-1] + 1, WIDTHS)


def test_slots_are_bounded_and_come_back(checkpoint: Checkpoint) -> None:
    model = captured(checkpoint)
    stores = [model.new_store() for _ in range(model.most_rows)]
    for store in stores:
        model.forward([1, 2], store)
    late = model.new_store()
    with pytest.raises(MemoryError, match="no slot"):
        model.forward([1], late)
    stores[3].clear()
    stores.pop()
    model.forward([1], late)
    with pytest.raises(MemoryError, match="longer"):
        model.forward([1] * 257, stores[3])


def test_the_context_length_to_its_last_token(checkpoint: Checkpoint, model: CapturedModel) -> None:
    assert model.positions == 256
    prompt = [int(x) for x in np.random.default_rng(2).integers(0, VOCABULARY, 256)]
    got = as_array(model.forward(prompt, model.new_store()))
    assert np.allclose(got, reference(checkpoint, prompt)[-1], atol=2e-4)


def adapter(rank: int = 4) -> LoraWeights:
    random = torch.Generator().manual_seed(3)

    def pair(rows: int, columns: int) -> LoraPair:
        return LoraPair(
            a_RI=torch.randn(rank, columns, generator=random) * 0.1,
            b_OR=torch.randn(rows, rank, generator=random) * 0.1,
        )

    name = "model.layers.1."
    pairs = {
        f"{name}self_attn.q_proj": pair(64, 64),
        f"{name}self_attn.v_proj": pair(32, 64),
        f"{name}self_attn.o_proj": pair(64, 64),
        f"{name}mlp.gate_up_proj": pair(192, 64),
        f"{name}mlp.down_proj": pair(64, 96),
    }
    return LoraWeights(name="mine", pairs=pairs)


def test_adapters_by_row(checkpoint: Checkpoint) -> None:
    capture = Recording()
    model = captured(checkpoint, capture)
    lora = adapter()
    plain: Any = load_model(checkpoint, PLACEMENT, native=False)[0]
    wanted = [
        as_array(plain.forward(TOKENS[:9], plain.new_store(one))) for one in (None, lora, None)
    ]
    rows = [
        RowTokens(store=model.new_store(one), tokens=TOKENS[:9][:VERIFY])
        for one in (None, lora, None)
    ]
    model.forward_rows(rows)
    again = [RowTokens(store=row.store, tokens=TOKENS[8:9]) for row in rows]
    for got, one in zip(model.forward_rows(again), wanted, strict=True):
        assert np.allclose(as_array(got[0]), one, atol=2e-4)
    assert np.abs(wanted[0] - wanted[1]).max() > 0.01
    assert capture.recorded == 2  # the rows without one, at two widths
    wrong = LoraWeights(name="other", pairs={"model.layers.7.mlp.down_proj": lora.pairs[
        "model.layers.1.mlp.down_proj"]})  # fmt: skip
    with pytest.raises(ModelUnusable, match="another model"):
        model.new_store(wrong)


@pytest.mark.parametrize(("number_format", "error"), [(INT8, 0.06), (FP8, 0.2)])
def test_weights_only_in_fewer_bits(
    checkpoint: Checkpoint, model: CapturedModel, number_format: str, error: float
) -> None:
    small = captured(checkpoint, number_format=number_format)
    assert small.weight_bytes < 0.6 * model.weight_bytes
    wanted = as_array(model.forward(TOKENS, model.new_store()))
    got = as_array(small.forward(TOKENS, small.new_store()))
    assert np.sqrt(np.square(got - wanted).mean()) < error * wanted.std()


def test_quantised_weights_are_used_as_they_are_stored(tmp_path: Path) -> None:
    scheme = {"glm_quantization": {"bits": 8, "group_size": 32}}
    weights = quantized(random_weights(BASE), 8, 32)
    checkpoint = open_checkpoint(write_model(tmp_path, {**BASE, **scheme}, weights=weights))
    wanted = as_array(captured(checkpoint).forward(TOKENS, captured(checkpoint).new_store()))
    model = captured(checkpoint, number_format=INT8)
    got = as_array(model.forward(TOKENS, model.new_store()))
    assert np.allclose(got, wanted, atol=1e-4)


def test_tokens_are_chosen_on_the_device() -> None:
    random = np.random.default_rng(5)
    logits = random.normal(0, 2, 50).astype(np.float32)
    top = float(logits.max())
    on_device = DeviceLogits(torch.from_numpy(logits), int(logits.argmax()), top)
    assert Sampler(Sampling()).next_token(on_device) == logits.argmax()
    for seed in range(40):
        sampling = Sampling(temperature=0.7, top_p=0.8, seed=seed)
        assert Sampler(sampling).next_token(on_device) == Sampler(sampling).next_token(logits)
    assert int(drawn(torch.from_numpy(logits), 0.7, 0.0, 0.99)) == logits.argmax()
    with pytest.raises(EngineFailed, match="not finite"):
        Sampler(Sampling()).next_token(DeviceLogits(torch.ones(3), 0, float("nan")))


def test_an_accelerator_gets_it_and_a_lacking_one_goes_back_to_the_cpu(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_model(tmp_path, BASE))
    placement = choose_placement(device=None, dtype="bfloat16", accelerator=Npu())
    model = load_model(checkpoint, placement)[0]
    assert isinstance(model, CapturedModel)
    before = as_array(model.forward(TOKENS, model.new_store()))
    model.move(torch.device("cpu"), torch.float32)
    after = as_array(model.forward(TOKENS, model.new_store()))
    assert np.abs(before - after).max() < 0.2
    assert isinstance(capture_for(torch.device("cpu")), NoGraphs)


def test_weight_formats_are_asked_for_by_name(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_model(tmp_path, BASE))
    options = EngineOptions(model="m", device="npu", dtype=FP8)
    placed = place_model(checkpoint, options, Npu())
    assert isinstance(placed.model, CapturedModel)
    assert placed.placement.dtype_name == "bfloat16"
    with pytest.raises(ModelUnusable, match="cannot run in float8"):
        place_model(checkpoint, replace(options, device="cpu"), Npu())
