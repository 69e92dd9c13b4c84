"""The three architectures, converted and loaded by the Auto classes, against reference values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache

import glm_codegen  # noqa: F401 (announces CodeGeeX to the Auto classes)
from tests.codegen.convert.converting import converted
from tests.codegen.models.reference_cases import (
    DATA,
    PROMPTS,
    TOLERANCE,
    VERSIONS,
    ReferenceCases,
    greedy_continuation,
    reference_cases,
)


@pytest.fixture(scope="module", params=VERSIONS)
def cases(request: pytest.FixtureRequest) -> ReferenceCases:
    return reference_cases(request.param)


@pytest.fixture(scope="module")
def folder(cases: ReferenceCases, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / cases.version
    converted(DATA / cases.version, made)
    return made


@pytest.fixture(scope="module", params=["eager", "sdpa"])
def model(folder: Path, request: pytest.FixtureRequest) -> Any:
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=request.param
    )
    assert loaded.config._attn_implementation == request.param
    return loaded.eval()


@torch.no_grad()
def test_logits_at_every_position(cases: ReferenceCases, model: Any, record_property: Any) -> None:
    largest = 0.0
    for index in PROMPTS:
        logits = model(cases.prompt(index)).logits[0]
        difference = float((logits - cases.logits(index)).abs().max())
        largest = max(largest, difference)
        assert difference <= TOLERANCE[cases.version], f"prompt {index}"
    implementation = model.config._attn_implementation
    print(f"{cases.version} {implementation}: largest logit difference {largest:.1e}")


def test_greedy_continuation_is_the_same(cases: ReferenceCases, model: Any) -> None:
    for index in PROMPTS:
        wanted = cases.greedy(index)
        assert greedy_continuation(model, cases.prompt(index), len(wanted)) == wanted


@torch.no_grad()
def test_cache_changes_nothing(cases: ReferenceCases, model: Any) -> None:
    """One token at a time, and in uneven chunks."""
    ids = cases.prompt(3)
    whole = model(ids, use_cache=False).logits[0]
    for sizes in ([1] * ids.shape[1], [5, 1, 20, 7]):
        cache = DynamicCache(config=model.config)
        parts = [
            model(part, past_key_values=cache, use_cache=True).logits[0]
            for part in torch.split(ids, sizes, dim=1)
        ]
        assert len(cache) == model.config.num_hidden_layers
        assert float((torch.cat(parts) - whole).abs().max()) <= TOLERANCE[cases.version]


@torch.no_grad()
def test_left_padding_changes_nothing(cases: ReferenceCases, model: Any) -> None:
    ids, mask = _left_padded([cases.prompt(1)[0], cases.prompt(2)[0]])
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    padded = model(ids, attention_mask=mask, position_ids=positions).logits
    for row, index in enumerate((1, 2)):
        real = padded[row, mask[row].bool()]
        assert float((real - cases.logits(index)).abs().max()) <= TOLERANCE[cases.version]
    if "batch_logits" in cases.tensors:  # the 13B's reference pads on the right only
        assert torch.equal(cases.tensors["batch_input_ids"][mask.bool()], ids[mask.bool()])
        difference = (padded - cases.tensors["batch_logits"])[mask.bool()].abs().max()
        assert float(difference) <= TOLERANCE[cases.version]
    out = model.generate(
        ids, attention_mask=mask, max_new_tokens=32, do_sample=False, eos_token_id=None,
        pad_token_id=0,
    )  # fmt: skip
    for row, index in enumerate((1, 2)):
        assert [int(token) for token in out[row, ids.shape[1] :]] == cases.greedy(index)


def _left_padded(rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, longest - len(row) :] = row
        mask[index, longest - len(row) :] = 1
    return ids, mask
