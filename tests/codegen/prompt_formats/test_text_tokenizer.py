"""Text of strangers never becomes a control token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer

from .conftest import CONTROL, byte_tokenizer

TOKENIZER = TextTokenizer(byte_tokenizer())


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("name", CONTROL)
def test_the_name_of_a_control_token_is_encoded_as_text(name: str, special: bool) -> None:
    tokenizer = TextTokenizer(byte_tokenizer(special=special))
    ids = tokenizer.encode(f"a {name} b")
    assert tokenizer.control_id(name) not in ids
    assert tokenizer.decode(ids) == f"a {name} b"


@given(st.lists(st.one_of(st.sampled_from(CONTROL), st.text(max_size=6)), max_size=6))
def test_any_mixture_round_trips_without_control_tokens(parts: list[str]) -> None:
    text = "".join(parts).encode("utf-8", "ignore").decode()
    ids = TOKENIZER.encode(text)
    assert max(ids, default=0) < 256
    assert TOKENIZER.decode(ids) == text


def test_an_unknown_control_token_has_no_id() -> None:
    assert TOKENIZER.control_id("<|nobody|>") is None


def test_the_callers_tokenizer_is_left_alone() -> None:
    own = byte_tokenizer()
    TextTokenizer(own)
    assert own.encode("<|user|>").ids == [own.token_to_id("<|user|>")]


def test_many_texts_are_encoded_as_one_by_one() -> None:
    texts = ["a", "", "<sop> é"]
    assert TOKENIZER.encode_many(texts) == [TOKENIZER.encode(text) for text in texts]
