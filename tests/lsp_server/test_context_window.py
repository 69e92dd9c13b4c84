"""The window around the cursor, and typing along a suggestion in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_lsp.context_window import (
    MAX_PREFIX,
    MAX_SUFFIX,
    STRIDE,
    ContextWindow,
    window_at,
    with_selected,
)
from glm_lsp.documents import Cursor, Document
from glm_lsp.position_codec import PositionEncoding
from glm_lsp.suggestion import remainder, typed_since


def document(text: str) -> Document:
    return Document("file:///a.py", "python", 1, text, PositionEncoding.UTF16)


def window(before: str, after: str = "") -> ContextWindow:
    line = before.replace("\r\n", "\n").replace("\r", "\n").count("\n")
    buffer = document(before + after)
    return window_at(buffer, Cursor(line=line, index=len(before) - before.rfind("\n") - 1))


def test_a_small_document_is_taken_whole() -> None:
    found = window("a\nb = ", "c\nd\n")
    assert (found.line, found.prefix, found.suffix, found.head) == (1, "a\nb = ", "c\nd\n", "b = ")


def test_line_ends_are_made_alike() -> None:
    buffer = document("a\r\nb\rc\r\nd")
    found = window_at(buffer, Cursor(line=2, index=1))
    assert (found.prefix, found.suffix) == ("a\nb\nc", "\nd")


def test_a_large_document_is_cut_at_line_ends() -> None:
    text = "0123456\n" * 10_000
    found = window_at(document(text), Cursor(line=5000, index=3))
    assert MAX_PREFIX - 8 * STRIDE < len(found.prefix) <= MAX_PREFIX
    assert MAX_SUFFIX - 8 < len(found.suffix) <= MAX_SUFFIX
    assert found.prefix.startswith("0123456\n")
    assert found.suffix.endswith("6\n")


def test_the_cut_stays_where_it_is_while_the_user_types() -> None:
    lines = [f"line_{number} = {number}\n" for number in range(5000)]
    starts = {
        window("".join(lines[:4000]) + "x" * typed).prefix.split("\n", 1)[0] for typed in range(100)
    }
    assert len(starts) <= 2
    assert all(int(start.split(" ")[0][5:]) % STRIDE == 0 for start in starts)


def test_a_long_line_is_cut_in_itself() -> None:
    found = window_at(document("x" * 300_000), Cursor(line=0, index=150_000))
    assert (len(found.prefix), len(found.suffix)) == (MAX_PREFIX, MAX_SUFFIX)


def test_the_menu_s_selected_entry_is_in_place() -> None:
    buffer = document("import os\nos.pa = 1\n")
    found = with_selected(buffer, Cursor(line=1, index=3), Cursor(line=1, index=5), "path")
    assert (found.prefix, found.suffix, found.line) == ("import os\nos.path", " = 1\n", 1)


@pytest.mark.parametrize(
    ("before", "after", "typed"),
    [
        ("a\nx = ", "\nb", ""),
        ("a\nx = ", "\nb", "foo"),
        ("a\nx = ", "\nb", "foo(\n    1,\n"),
        ("", "", "x"),
        ("a\n", "", "\n\n"),
        ("y\n" * 20_000, "z\n" * 9000, "typed"),
        ("y\n" * 20_000, "z\n" * 9000, "ty\n\nped"),
    ],
)
def test_what_was_typed_is_found(before: str, after: str, typed: str) -> None:
    assert typed_since(window(before, after), window(before + typed, after)) == typed


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (("x = ", ""), ("x =", "")),
        (("x = ", ""), ("x = 1", "2")),
        (("x = ", ""), ("y = 1", "")),
        (("a\nx = ", ""), ("b\nx = 1", "")),
        (("a\nx = ", ""), ("x = 1", "")),
        (("x = ", ""), ("new\nx = 1", "")),
        (("x = ", "\n"), ("x = 1", "")),
    ],
)
def test_any_other_change_is_noticed(then: tuple[str, str], now: tuple[str, str]) -> None:
    assert typed_since(window(*then), window(*now)) is None


@given(st.text("ab\n ", max_size=20), st.text("ab\n ", max_size=8), st.text("ab\n ", max_size=20))
def test_typing_is_found_wherever_it_happens(before: str, typed: str, after: str) -> None:
    assert typed_since(window(before, after), window(before + typed, after)) == typed


def test_remainder() -> None:
    assert remainder("foo(bar)", "foo") == "(bar)"
    assert remainder("foo", "foo") == ""
    assert remainder("foo", "fox") is None
    assert remainder("foo", "food") is None
