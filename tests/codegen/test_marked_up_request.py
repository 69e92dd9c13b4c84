"""A marked-up prompt reaches the model in the model's own form; an editor's text never does."""

from __future__ import annotations

from typing import Any

import pytest

from glm_codegen.completion_kind import plan_completion
from glm_codegen.prompt_formats.choose import choose_format
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.row_plan import ModelParts, RowPlan
from tests.codegen.engine_driver import request
from tests.runtime.tiny_models import byte_tokenizer

TOKENIZER = TextTokenizer(byte_tokenizer())
TEXT = "<|fim_prefix|>def f(x):\n    return <|fim_suffix|>\n\nf(1)\n<|fim_middle|>"


def plan(prefix: str, suffix: str = "", **options: Any) -> RowPlan:
    made = ModelParts(
        model="m",
        tokenizer=TOKENIZER,
        prompt_format=choose_format(TOKENIZER),
        context_length=1024,
    )
    return plan_completion(request(prefix, suffix, path="", language="", **options), made)


def test_the_markup_becomes_the_models_own() -> None:
    marked = plan(TEXT, marked_up=True).prompt
    plain = plan("def f(x):\n    return ", "\n\nf(1)\n").prompt
    assert marked.token_ids == plain.token_ids


@pytest.mark.parametrize("changes", [{}, {"marked_up": True, "suffix": "more"}])
def test_without_the_word_or_with_a_suffix_markers_are_text(changes: dict[str, Any]) -> None:
    prompt = plan(TEXT, **changes).prompt
    assert "<|fim_suffix|>" in TOKENIZER.decode(prompt.token_ids)


def test_a_plain_prompt_goes_as_it_is() -> None:
    assert plan("x = ", marked_up=True).prompt.token_ids == plan("x = ").prompt.token_ids
