"""What CodeGeeX-13B has beyond the reference values: masking, limits, precision, the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM

import glm_codegen  # noqa: F401 (announces CodeGeeX to the Auto classes)
from glm_codegen.models.codegeex import CodeGeeXForCausalLM, CodeGeeXModel, fast_gelu
from glm_codegen.models.codegeex_config import CodeGeeXConfig
from tests.codegen.convert.converting import converted
from tests.codegen.models.reference_cases import DATA, reference_cases

SMALL: dict[str, Any] = {
    "vocab_size": 40, "trained_vocab_size": 32, "hidden_size": 16, "intermediate_size": 64,
    "num_hidden_layers": 3, "num_attention_heads": 2, "max_position_embeddings": 12,
    "bos_token_id": 31, "eos_token_id": 31,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / "v1"
    converted(DATA / "v1", made)
    return made


@pytest.fixture
def small() -> CodeGeeXForCausalLM:
    torch.manual_seed(0)
    model: Any = CodeGeeXForCausalLM(CodeGeeXConfig(**SMALL))
    return model.eval()


def test_defaults_are_the_released_model() -> None:
    with torch.device("meta"):
        model: Any = CodeGeeXForCausalLM(CodeGeeXConfig())
    assert sum(p.numel() for p in model.parameters()) == 12_873_943_040
    assert model.lm_head.weight is model.model.embed_tokens.weight


@torch.no_grad()
def test_float16_is_as_close_as_the_reference_in_float16(folder: Path) -> None:
    cases = reference_cases("v1")
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.float16
    for index in (2, 3):
        logits = model.eval()(cases.prompt(index)).logits[0].float()
        reference = cases.tensors[f"logits_fp16_{index}"].float()
        assert float((logits - reference).abs().max()) <= 0.15
        assert float((logits - cases.logits(index)).abs().max()) <= 0.15


def test_generation_ends_with_the_end_token(folder: Path) -> None:
    cases = reference_cases("v1")
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = cases.prompt(2)
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=32, do_sample=False,
        eos_token_id=457, pad_token_id=457,
    )  # fmt: skip
    assert out[0, ids.shape[1] :].tolist() == cases.tensors["greedy_stop_2"].tolist()


@torch.no_grad()
def test_rows_that_were_never_trained_are_never_chosen(small: CodeGeeXForCausalLM) -> None:
    logits = small(torch.arange(8)[None]).logits
    assert bool((logits[..., 32:] == torch.finfo(logits.dtype).min).all())
    assert int(logits.argmax(-1).max()) < 32
    assert bool(torch.isfinite(logits.softmax(-1)).all())


@torch.no_grad()
def test_only_asked_for_logits_are_computed(small: CodeGeeXForCausalLM) -> None:
    ids = torch.arange(8)[None]
    whole = small(ids).logits
    assert torch.allclose(small(ids, logits_to_keep=2).logits, whole[:, -2:], atol=1e-6)
    chosen = small(ids, logits_to_keep=torch.tensor([1, 5])).logits
    assert torch.allclose(chosen, whole[:, [1, 5]], atol=1e-6)


def test_positions_end_where_the_table_ends(small: CodeGeeXForCausalLM) -> None:
    with pytest.raises(ValueError, match="12 learned positions"):
        small(torch.zeros(1, 13, dtype=torch.long))
    with pytest.raises(ValueError, match="exactly one"):
        small()


@torch.no_grad()
def test_mask_alone_places_a_left_padded_row(small: CodeGeeXForCausalLM) -> None:
    ids = torch.tensor([[0, 0, 5, 6, 7]])
    mask = torch.tensor([[0, 0, 1, 1, 1]])
    alone = small(ids[:, 2:]).logits
    assert torch.allclose(small(ids, attention_mask=mask).logits[:, 2:], alone, atol=1e-5)
    begun = small(ids[:, :4], attention_mask=mask[:, :4], use_cache=True).past_key_values
    last = small(ids[:, 4:], attention_mask=mask, past_key_values=begun).logits
    assert torch.allclose(last, alone[:, -1:], atol=1e-5)


@pytest.mark.parametrize(
    "options", [{"cache_implementation": "static"}, {"use_cache": False}, {"num_beams": 2}]
)
def test_every_cache_gives_the_same_text(
    small: CodeGeeXForCausalLM, options: dict[str, Any]
) -> None:
    model: Any = small
    ids = torch.arange(5)[None]
    fixed: dict[str, Any] = {
        "attention_mask": torch.ones_like(ids), "max_new_tokens": 7, "do_sample": False,
        "eos_token_id": None, "pad_token_id": 0,
    }  # fmt: skip
    assert torch.equal(model.generate(ids, **fixed, **options), model.generate(ids, **fixed))


def test_training_gradients_reach_every_weight(small: CodeGeeXForCausalLM) -> None:
    small.train()
    small.activation_checkpointing_enable()
    ids = torch.arange(8)[None]
    small(ids, labels=ids, use_cache=False).loss.backward()
    still = [
        name
        for name, parameter in small.named_parameters()
        if parameter.grad is None or not bool(parameter.grad.abs().sum() > 0)
    ]
    # a key's bias adds the same to every score of a row: softmax does not see it
    assert all(name.endswith("k_proj.bias") for name in still)


@torch.no_grad()
def test_hidden_states_and_attentions_can_be_had(small: CodeGeeXForCausalLM) -> None:
    small.set_attn_implementation("eager")
    out = small(torch.arange(4)[None], output_hidden_states=True, output_attentions=True)
    assert len(out.attentions) == 3
    assert len(out.hidden_states) >= 3


def test_fast_gelu_does_not_overflow() -> None:
    x = torch.tensor([-60000.0, -1.0, 0.0, 1.0, 60000.0], dtype=torch.float16)
    assert fast_gelu(x)[0] == 0
    assert fast_gelu(x)[4] == 60000
    assert bool(torch.isfinite(fast_gelu(x)).all())


@pytest.mark.parametrize(
    "wrong", [{"num_attention_heads": 3}, {"num_hidden_layers": 1}, {"trained_vocab_size": 41}]
)
def test_numbers_that_make_no_model_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="num_hidden_layers|heads|trained_vocab_size"):
        CodeGeeXConfig(**(SMALL | wrong))


def test_saved_and_loaded_again(small: CodeGeeXForCausalLM, tmp_path: Path) -> None:
    small.save_pretrained(tmp_path)
    again: Any = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.arange(6)[None]
    assert torch.equal(again.eval()(ids).logits, small(ids).logits)
    assert isinstance(AutoModel.from_pretrained(tmp_path), CodeGeeXModel)
