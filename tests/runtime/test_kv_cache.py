"""Cached equals uncached, token by token, and what two prompts share is not computed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_runtime.causal_model import CausalModel, KVStore
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.model_loading import load_model
from tests.runtime.one_row import OneRow
from tests.runtime.tiny_models import GLM, GPT2, LLAMA, MISTRAL, write_model

PLACEMENT = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())


@pytest.fixture(scope="module", params=[True, False], ids=["ours", "transformers"])
def glm(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Any:
    folder = write_model(tmp_path_factory.mktemp("glm"))
    return load_model(open_checkpoint(folder), PLACEMENT, native=request.param)[0]


def prefilled(decoder: OneRow, prompt: list[int]) -> torch.Tensor:
    decoder.begin(prompt)
    while (logits := decoder.prefill()) is None:
        pass
    return logits


def uncached(model: CausalModel, tokens: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return model.forward(tokens, model.new_store())


@pytest.mark.parametrize(
    ("config", "native"),
    [(GLM, True), (GLM, False), (LLAMA, False), (GPT2, False), (MISTRAL, False)],
    ids=["our glm", "glm", "llama", "gpt2", "mistral"],
)
def test_cached_equals_uncached(tmp_path: Path, config: dict[str, Any], native: bool) -> None:
    checkpoint = open_checkpoint(write_model(tmp_path, config))
    model = load_model(checkpoint, PLACEMENT, native=native)[0]
    decoder = OneRow(model, PLACEMENT, chunk=16)
    first = list(range(30, 80))
    second = [*first[:40], 7, 8, 9]
    assert torch.allclose(prefilled(decoder, first), uncached(model, first), atol=1e-4)
    assert torch.allclose(decoder.step(3), uncached(model, [*first, 3]), atol=1e-4)
    reused = decoder.begin(second)
    assert reused == (0 if config is MISTRAL else 40)
    assert torch.allclose(prefilled(decoder, second), uncached(model, second), atol=1e-4)
    assert torch.allclose(decoder.step(4), uncached(model, [*second, 4]), atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    prompts=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=6),
    chunk=st.integers(1, 5),
)
def test_any_sequence_of_prompts(glm: Any, prompts: list[list[int]], chunk: int) -> None:
    decoder = OneRow(glm, PLACEMENT, chunk=chunk)
    held: list[int] = []
    for prompt in prompts:
        reused = decoder.begin(prompt)
        common = 0
        while common < min(len(held), len(prompt)) and held[common] == prompt[common]:
            common += 1
        assert reused == min(common, len(prompt) - 1)
        assert torch.allclose(prefilled(decoder, prompt), uncached(glm, prompt), atol=1e-4)
        decoder.step(1)
        held = [*prompt, 1]
        assert decoder.cache.tokens == held


def test_a_prompt_left_in_the_middle_is_taken_up_where_it_was(glm: Any) -> None:
    decoder = OneRow(glm, PLACEMENT, chunk=8)
    prompt = list(range(40))
    decoder.begin(prompt)
    decoder.prefill()
    decoder.prefill()
    assert decoder.begin(prompt) == 16
    assert torch.allclose(prefilled(decoder, prompt), uncached(glm, prompt), atol=1e-4)


def test_room_grows_past_its_first_size(glm: Any) -> None:
    decoder = OneRow(glm, PLACEMENT, chunk=300)
    prompt = [i % 200 for i in range(900)]
    prefilled(decoder, prompt[:10])
    assert torch.allclose(prefilled(decoder, prompt), uncached(glm, prompt), atol=1e-4)


def test_clear_forgets(glm: Any) -> None:
    decoder = OneRow(glm, PLACEMENT)
    prefilled(decoder, [1, 2, 3])
    decoder.cache.clear()
    assert decoder.cache.tokens == []
    assert torch.equal(prefilled(decoder, [4, 5]), uncached(glm, [4, 5]))


class RunsOut:
    """A model whose memory runs out in the middle of a forward."""

    def __init__(self, model: Any, error: BaseException) -> None:
        self.model, self.error = model, error
        self.fails = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def forward(self, tokens: list[int], store: KVStore) -> torch.Tensor:
        logits: torch.Tensor = self.model.forward(tokens, store)
        if self.fails:
            raise self.error
        return logits


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("NPU out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_out_of_memory_leaves_a_clean_cache(glm: Any, error: BaseException) -> None:
    from glm_protocol.errors import EngineFailed

    model: Any = RunsOut(glm, error)
    decoder = OneRow(model, PLACEMENT, chunk=8)
    decoder.begin(list(range(20)))
    with pytest.raises(EngineFailed, match="not enough memory"):
        decoder.prefill()
    model.fails = False
    prompt = list(range(20))
    assert decoder.begin(prompt) == 0
    assert torch.allclose(prefilled(decoder, prompt), uncached(glm, prompt), atol=1e-4)


def test_other_faults_are_not_taken_for_memory(glm: Any) -> None:
    model: Any = RunsOut(glm, RuntimeError("shapes differ"))
    decoder = OneRow(model, PLACEMENT)
    decoder.begin([1])
    with pytest.raises(RuntimeError, match="shapes differ"):
        decoder.prefill()
    assert decoder.cache.tokens == []
