"""Text of strangers never becomes a control token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

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


def sentencepiece_like(kind: str) -> Tokenizer:
    """Pieces of letters; a space in front of every text, as Llama's tokenizers have it."""
    vocab = {piece: i for i, piece in enumerate(("<unk>", "▁", "a", "b", "▁a", "▁b", "<s>", "<x>"))}
    made = Tokenizer(models.BPE(vocab, [("▁", "a"), ("▁", "b")], unk_token="<unk>"))
    if kind == "prepend":
        steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        made.normalizer = normalizers.Sequence(steps)
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=kind)
    made.decoder = decoders.Metaspace(prepend_scheme="first" if kind == "prepend" else kind)
    made.add_special_tokens([AddedToken("<s>"), AddedToken("<x>")])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", made.token_to_id("<s>"))]
    )
    return made


@pytest.mark.parametrize("kind", ["prepend", "always", "first"])
def test_inside_a_prompt_no_space_is_put_in_front(kind: str) -> None:
    made = sentencepiece_like(kind)
    tokenizer = TextTokenizer(made)
    a, with_space = made.token_to_id("a"), made.token_to_id("▁a")
    assert tokenizer.encode("a") == [with_space]
    assert tokenizer.encode_inside("a") == [a]
    assert tokenizer.encode_inside(" a") == [with_space]
    assert tokenizer.opening_ids == (made.token_to_id("<s>"),)
    assert tokenizer.control_id("<x>") not in tokenizer.encode_inside("a<x>")


def test_a_tokenizer_that_puts_nothing_in_front_encodes_the_same_everywhere() -> None:
    assert TOKENIZER.encode(" a") == TOKENIZER.encode_inside(" a")
    assert TOKENIZER.opening_ids == ()


def test_an_unknown_control_token_has_no_id() -> None:
    assert TOKENIZER.control_id("<|nobody|>") is None


def test_the_callers_tokenizer_is_left_alone() -> None:
    own = byte_tokenizer()
    TextTokenizer(own)
    assert own.encode("<|user|>").ids == [own.token_to_id("<|user|>")]


def test_many_texts_are_encoded_as_one_by_one() -> None:
    texts = ["a", "", "<sop> é"]
    assert TOKENIZER.encode_many(texts) == [TOKENIZER.encode(text) for text in texts]
