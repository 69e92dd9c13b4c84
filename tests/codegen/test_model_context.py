"""Line ends and lone surrogates change in one place, there and back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_codegen.model_context import clean, for_prompt, newline_of, to_model
from glm_protocol.completion import FOR_MEMORY, CodeContext, Snippet


def context(prefix: str, suffix: str = "", *snippets: str) -> CodeContext:
    found = tuple(Snippet(id=str(i), path="b.py", text=text) for i, text in enumerate(snippets))
    return CodeContext(path="a.py", language="python", prefix=prefix, suffix=suffix, snippets=found)


@pytest.mark.parametrize(
    ("prefix", "suffix", "newline"),
    [
        ("a\nb", "c\n", "\n"),
        ("a\r\nb", "c\r\n", "\r\n"),
        ("a\rb", "c\r", "\r"),
        ("", "", "\n"),
        ("one line", "", "\n"),
        ("a\r\nb\r\nc\n", "", "\r\n"),
        ("a\r\n\nb\n", "", "\n"),
        ("a\r", "\nb", "\r\n"),
    ],
)
def test_line_ends(prefix: str, suffix: str, newline: str) -> None:
    found = to_model(context(prefix, suffix), snippet_characters=0)
    assert found.newline == newline
    joined = (prefix + suffix).replace("\r\n", "\n").replace("\r", "\n")
    assert found.context.prefix + found.context.suffix == joined
    assert found.restore("x\n\ny") == f"x{newline}{newline}y"


def test_newline_of_mixed_texts_is_the_most_frequent() -> None:
    assert newline_of("a\rb\rc\n") == "\r"


@given(st.text(st.characters(), max_size=30))
def test_clean_text_is_valid_and_keeps_what_was(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert "\r" not in cleaned
    if text == text.encode("utf-8", "ignore").decode() and "\r" not in text:
        assert cleaned == text


def test_surrogates() -> None:
    assert clean("a\ud83c\udf89b") == "a🎉b"
    assert clean("a\ud83cb\udf89") == "a\ufffdb\ufffd"
    found = to_model(context("\udc00", "x\ud800", "\udfff"), snippet_characters=99).context
    assert (found.prefix, found.suffix, found.snippets[0].text) == ("\ufffd", "x\ufffd", "\ufffd")


def test_leading_snippets_within_the_bound() -> None:
    found = to_model(context("", "", "aaaa", "bbbb", "cc"), snippet_characters=9)
    assert [snippet.text for snippet in found.context.snippets] == ["aaaa", "bbbb"]


def test_what_is_for_a_memory_is_in_no_prompt() -> None:
    given = context("", "", "aaaa", "bbbb", "cc")
    first = replace(given.snippets[0], source=FOR_MEMORY)
    given = replace(given, snippets=(first, *given.snippets[1:]))
    assert [snippet.text for snippet in for_prompt(given, 5).snippets] == ["bbbb"]
    assert len(to_model(given, snippet_characters=99).context.snippets) == 3
