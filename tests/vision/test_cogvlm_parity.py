"""The miniatures against the released code's own numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.models.expert_route import position_ids, vision_expert_mask

from .conftest import CASES, Reference, read_model

TOLERANCE: dict[str, Any] = {"atol": 2e-4, "rtol": 1e-4}


@pytest.mark.parametrize("case", CASES)
def test_positions_and_expert_mask_are_exact(reference: Reference, case: str) -> None:
    inputs = reference.inputs(case)
    types, attention = inputs["token_type_ids"], inputs["attention_mask"]
    assert torch.equal(position_ids(types, attention), reference.tensors[f"{case}.position_ids"])
    expected = reference.tensors[f"{case}.vision_expert_mask"].bool()
    assert torch.equal(vision_expert_mask(types), expected)


@pytest.mark.parametrize("case", CASES)
def test_logits(model: CogVLMForCausalLM, reference: Reference, case: str) -> None:
    inputs = reference.inputs(case)
    with torch.no_grad():
        logits = model(**inputs).logits
    real = inputs["attention_mask"] == 1
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits[real], reference.tensors[f"{case}.logits"][real], **TOLERANCE)


def test_hidden_states(model: CogVLMForCausalLM, reference: Reference) -> None:
    with torch.no_grad():
        states = model(**reference.inputs("image_text"), output_hidden_states=True).hidden_states
    assert len(states) == model.config.num_hidden_layers + 1
    for index, state in enumerate(states):
        expected = reference.tensors[f"image_text.hidden_{index}"]
        torch.testing.assert_close(state, expected, **TOLERANCE)


def test_vision_tower_stage_by_stage(model: CogVLMForCausalLM, reference: Reference) -> None:
    tower, expected = model.model.vision, reference.tensors
    pixels = expected["preprocess.pixel_a"][None]
    with torch.no_grad():
        patches = tower.patch_embedding(pixels)
        trunk = tower.transformer(patches)
        slots = tower(pixels)
    close: dict[str, Any] = {"atol": 5e-5, "rtol": 0.0}
    torch.testing.assert_close(patches, expected["vision.patch_embedding_a"], **close)
    torch.testing.assert_close(trunk, expected["vision.transformer_a"], **close)
    torch.testing.assert_close(slots, expected["vision.features_a"], **close)
    assert slots.shape[1] == model.config.image_slots


GREEDY = {
    "greedy_image": "image_text",
    "greedy_text": "text_only",
    "greedy_batch_left": "batch_left_pad",
}


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("run", GREEDY)
def test_greedy_tokens(
    model: CogVLMForCausalLM, reference: Reference, run: str, use_cache: bool
) -> None:
    expected = reference.tensors[f"{run}.tokens"]
    answer = model.generate(
        **reference.inputs(GREEDY[run]),
        do_sample=False,
        max_new_tokens=expected.shape[1],
        eos_token_id=None,
        use_cache=use_cache,
    )
    assert torch.equal(answer[:, -expected.shape[1] :], expected)


def test_greedy_logits_of_the_last_steps(model: CogVLMForCausalLM, reference: Reference) -> None:
    expected = reference.tensors["greedy_image.step_logits_last4"]
    answer = model.generate(
        **reference.inputs("image_text"),
        do_sample=False,
        max_new_tokens=24,
        eos_token_id=None,
        output_logits=True,
        return_dict_in_generate=True,
    )
    last = torch.stack(answer.logits[-4:], dim=1)
    torch.testing.assert_close(last, expected, **TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_eager_equals_sdpa(reference: Reference, case: str) -> None:
    inputs = reference.inputs(case)
    real = inputs["attention_mask"] == 1
    logits = []
    for name in ("eager", "sdpa"):
        model = read_model(reference.folder.name, name)
        assert model.config._attn_implementation == name
        with torch.no_grad():
            out = model(**inputs, output_attentions=name == "eager")
        assert (out.attentions is not None) == (name == "eager")
        logits.append(out.logits[real])
    torch.testing.assert_close(*logits, atol=5e-5, rtol=1e-4)
