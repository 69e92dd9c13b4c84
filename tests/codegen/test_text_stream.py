"""Text of tokens: characters come whole, and joined pieces are the whole text."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.text_stream import TextStream
from tests.runtime.tiny_models import byte_tokenizer

BYTES = TextTokenizer(byte_tokenizer())


def pieces(tokens: list[int], tokenizer: TextTokenizer = BYTES, prompt: str = "x = ") -> list[str]:
    stream = TextStream(tokenizer, tokenizer.encode(prompt))
    return [stream.add(token) for token in tokens]


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\ufffd"), max_size=40))
def test_byte_tokens_join_to_the_text(text: str) -> None:
    found = pieces(BYTES.encode(text))
    assert "".join(found) == text
    assert all("\ufffd" not in piece for piece in found)


def test_an_emoji_comes_with_its_last_byte() -> None:
    assert pieces(BYTES.encode("a🎉b")) == ["a", "", "", "", "🎉", "b"]


def test_bytes_that_make_no_character_are_dropped() -> None:
    tokens = BYTES.encode("a🎉b")
    del tokens[3]  # a byte inside the emoji
    assert "".join(pieces(tokens)) == "ab"


def test_a_character_cut_off_at_the_end_is_not_shown() -> None:
    assert "".join(pieces(BYTES.encode("né🎉")[:-1])) == "né"


def test_control_tokens_are_no_text() -> None:
    end = BYTES.control_id("<|endoftext|>")
    assert end is not None
    assert pieces([*BYTES.encode("a"), end, *BYTES.encode("b")]) == ["a", "", "b"]


def test_a_decoder_that_strips_the_first_space() -> None:
    words = {"▁a": 0, "▁b": 1, "c": 2, "▁": 3}
    inner = Tokenizer(models.BPE(words, []))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    tokenizer = TextTokenizer(inner)
    stream = TextStream(tokenizer, [0, 2])
    assert [stream.add(token) for token in (1, 2, 0, 3, 2)] == [" b", "c", " a", " ", "c"]


def test_long_texts_are_the_same_as_whole_ones() -> None:
    generator = random.Random(5)
    text = "".join(generator.choice("aé🎉漢\n \t") for _ in range(400))
    assert "".join(pieces(BYTES.encode(text), prompt="")) == text
