"""A model's text is plain when it reaches the buffer (T-19)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_lsp.insert_text import MAX_INSERT, clean, with_line_ends

HOSTILE = [
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\x9b31m",
    "\x00",
    "\x08\x08\x08",
    "\x7f",
    "\x85",
    "\u202e",
    "\u2066",
    "\u2069",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\u2028",
    "\u2029",
    "\u00ad",
    "\u2060",
    "\u061c",
    "\U000e0041",
    "\U000e007f",
    "\ufe0f",
    "\ud83d",
    "\u3164",
]
# Number signs, end of ayah and joiners of hieroglyphs: "format", but with a shape of their own.
VISIBLE_FORMATS = {
    *map(chr, (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)),
    *map(chr, range(0x13430, 0x13440)),
}


@pytest.mark.parametrize("text", HOSTILE)
def test_what_cannot_be_seen_is_taken_out(text: str) -> None:
    left = clean(f"a{text}b", "x = ")
    assert all(character.isprintable() for character in left)
    assert left[0] == "a"
    assert left[-1] == "b"


@pytest.mark.parametrize("text", ["\u200d", "\u202e", "\ufeff", "\U000e0041", "\ufe0f"])
def test_what_the_user_has_already_is_let_through(text: str) -> None:
    assert clean(f"a{text}b", f'name = "{text}"') == f"a{text}b"


@pytest.mark.parametrize("text", ["\x1b", "\x00", "\x85", "\x9b"])
def test_control_characters_never_are(text: str) -> None:
    assert clean(f"a{text}b", text) == "ab"


@pytest.mark.parametrize(
    "text",
    ["$1 ${2:x} $0", "}", "\\", "[a](command:x)", "<img src=x>", "`rm`", "😀 한 é", "\ta\n\tb"],
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert clean(text, "") == text


def test_length_is_bounded() -> None:
    assert len(clean("x" * 10 * MAX_INSERT, "")) == MAX_INSERT


def test_line_ends_become_the_document_s() -> None:
    assert clean("a\r\nb\rc\nd", "") == "a\nb\nc\nd"
    assert with_line_ends("a\nb", "\r\n") == "a\r\nb"
    assert with_line_ends("a\nb", "\r") == "a\rb"


@given(st.text(), st.text())
def test_only_tab_and_line_feed_are_left_of_the_controls(text: str, prefix: str) -> None:
    left = clean(text, prefix)
    controls = {c for c in left if unicodedata.category(c) == "Cc"}
    assert controls <= {"\t", "\n"}
    hidden = {c for c in left if unicodedata.category(c) in ("Cf", "Zl", "Zp")}
    assert hidden <= set(prefix) | VISIBLE_FORMATS
    assert clean(left, prefix) == left
