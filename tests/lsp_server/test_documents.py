"""The document store against a reference model, and its refusals (F1, F8, F9, T-20)."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_lsp.documents import (
    DROP_LENGTH,
    DROP_LINE,
    MAX_LENGTH,
    MAX_LINE,
    Cursor,
    Document,
    DocumentStore,
    Unusable,
)
from glm_lsp.params import Change, Position, Range
from glm_lsp.position_codec import PositionEncoding
from tests.lsp_server.reference_buffer import ReferenceBuffer

ENCODINGS = list(PositionEncoding)
EXAMPLES = int(os.environ.get("GLM_TEST_EXAMPLES", "60"))  # more of them at night
# Line ends, and everything that Python's splitlines takes for one; BOM, combining, astral, lone
# surrogates; half a CRLF on either side.
ALPHABET = [
    *("\n", "\r\n", "\r", "\x0c", "\x0b", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"),
    *("\ufeff", "e\u0301", "é", "한", "😀", "👨‍👩‍👧", "𝒳", "a", "b", " ", "\t", "\0", "_"),
]
LONE = ["\ud83d", "\ude00"]
TEXTS = st.lists(st.sampled_from(ALPHABET), max_size=8).map("".join)
TEXTS_16 = st.lists(st.sampled_from([*ALPHABET, *LONE]), max_size=8).map("".join)


def document(text: str, encoding: PositionEncoding = PositionEncoding.UTF16) -> Document:
    return Document("file:///a.py", "python", 1, text, encoding)


def state(buffer: Document) -> Unusable | None:
    """A call, so that the type checker does not take the state for settled."""
    return buffer.unusable


def change(start: tuple[int, int], end: tuple[int, int], text: str) -> Change:
    where = Range(
        start=Position(line=start[0], character=start[1]),
        end=Position(line=end[0], character=end[1]),
    )
    return Change(text=text, range=where)


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_edits_give_the_reference_text(encoding: PositionEncoding, data: st.DataObject) -> None:
    texts = TEXTS_16 if encoding is PositionEncoding.UTF16 else TEXTS
    first = data.draw(texts)
    reference = ReferenceBuffer(first, encoding)
    buffer = document(reference.text, encoding)
    for version in range(2, data.draw(st.integers(2, 7))):
        lines = reference.lines()
        places = []
        for _ in range(2):
            line = data.draw(st.integers(0, len(lines) - 1))
            columns = reference.columns(line)
            edges = [c for c in range(columns + 3) if c > columns or reference.is_edge(line, c)]
            if encoding is PositionEncoding.UTF16:
                edges = list(range(columns + 3))  # JavaScript may cut a pair in two
            places.append((line, data.draw(st.sampled_from(edges))))
        start, end = sorted(places, key=lambda place: reference.offset(*place))
        if reference.offset(*start) == reference.offset(*end):
            end = start
        text = data.draw(texts)
        reference.replace(start, end, text)
        buffer.change(version, [change(start, end, text)])
        assert state(buffer) is None
        assert buffer.text == reference.text
        assert [line.rstrip("\r\n") for line in buffer.lines] == reference.lines()
        assert buffer._length == len(buffer.text)


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(data=st.data())
def test_positions_and_cursors_are_inverse(encoding: PositionEncoding, data: st.DataObject) -> None:
    reference = ReferenceBuffer(
        data.draw(TEXTS_16 if encoding is PositionEncoding.UTF16 else TEXTS), encoding
    )
    buffer = document(reference.text, encoding)
    for line, content in enumerate(reference.lines()):
        for column in range(reference.columns(line) + 2):
            cursor = buffer.cursor(Position(line=line, character=column))
            assert cursor is not None
            assert 0 <= cursor.index <= len(content)
            if column <= reference.columns(line) and reference.is_edge(line, column):
                assert buffer.position(cursor) == Position(line=line, character=column)
                before = reference.data[: reference.offset(line, column)]
                seen = "".join(buffer.lines[:line]) + buffer.lines[line][: cursor.index]
                assert before.decode(reference.codec, "surrogatepass") == seen


@pytest.mark.parametrize("separator", ["\x0c", "\x0b", "\u2028", "\x85", "\x1c"])
def test_only_lsp_line_ends_end_lines(separator: str) -> None:
    buffer = document(f"one{separator}still one\ntwo")
    buffer.change(2, [change((1, 0), (1, 3), "TWO")])
    assert buffer.text == f"one{separator}still one\nTWO"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ((0, 3), (0, 1)),
        ((1, 0), (0, 0)),
        ((9, 0), (9, 0)),
        ((0, 1), (9, 0)),
        ((2, 0), (2, 0)),
        ((0, 1), (2, 5)),
    ],
)
def test_a_range_that_cannot_be_makes_the_document_stale(
    start: tuple[int, int], end: tuple[int, int]
) -> None:
    buffer = document("abc\ndef")
    buffer.change(2, [change(start, end, "x")])
    assert state(buffer) is Unusable.STALE
    buffer.change(3, [change((0, 0), (0, 0), "y")])
    assert state(buffer) is Unusable.STALE
    buffer.change(4, [Change(text="new", range=None)])
    assert state(buffer) is None
    assert buffer.text == "new"


def test_a_column_inside_a_byte_sequence_makes_the_document_stale() -> None:
    buffer = document("한", PositionEncoding.UTF8)
    buffer.change(2, [change((0, 1), (0, 3), "x")])
    assert state(buffer) is Unusable.STALE


@pytest.mark.parametrize("version", [0, 1, -3])
def test_a_version_that_does_not_rise_makes_the_document_stale(version: int) -> None:
    buffer = document("abc")
    buffer.change(version, [change((0, 0), (0, 0), "x")])
    assert state(buffer) is Unusable.STALE


def test_versions_may_skip_or_be_absent() -> None:
    buffer = document("abc")
    buffer.change(7, [change((0, 0), (0, 0), "x")])
    buffer.change(None, [change((0, 0), (0, 0), "y")])
    assert state(buffer) is None
    assert buffer.text == "yxabc"


def test_ends_beyond_the_text_that_editors_send() -> None:
    buffer = document("one\ntwo")
    buffer.change(2, [change((1, 0), (2, 0), "2")])  # the line after the last
    assert buffer.text == "one\n2"
    buffer.change(3, [change((0, 0), (99_999, 0), "all new")])  # everything
    assert buffer.text == "all new"
    assert state(buffer) is None


def test_half_a_line_end_is_completed() -> None:
    buffer = document("a\rb\rc")
    buffer.change(2, [change((1, 0), (1, 0), "\n")])
    assert buffer.lines == ["a\r\n", "b\r", "c"]


def test_a_cut_pair_is_joined_again() -> None:
    buffer = document("x😀y")
    buffer.change(2, [change((0, 2), (0, 2), "-")])
    assert buffer.text == "x\ud83d-\ude00y"
    buffer.change(3, [change((0, 2), (0, 3), "")])
    assert buffer.text == "x😀y"


def test_too_long_is_off_and_comes_back() -> None:
    buffer = document("x" * (MAX_LINE + 1) + "\nshort")
    assert state(buffer) is Unusable.TOO_LONG
    buffer.change(2, [change((0, 0), (0, 10), "")])
    assert state(buffer) is None
    buffer.change(3, [change((1, 0), (1, 0), "line\n" * (MAX_LENGTH // 4))])
    assert state(buffer) is Unusable.TOO_LONG


@pytest.mark.parametrize("text", ["x" * (DROP_LINE + 1), "line\n" * (DROP_LENGTH // 5 + 1)])
def test_a_text_beyond_all_use_is_not_kept(text: str) -> None:
    buffer = document(text)
    assert buffer.lines == [""]
    buffer.change(2, [change((0, 5), (0, 6), "y")])
    assert state(buffer) is Unusable.TOO_LONG
    buffer.change(3, [Change(text="small", range=None)])
    assert (state(buffer), buffer.text) == (None, "small")


def test_an_edit_that_grows_beyond_all_use_is_not_kept() -> None:
    buffer = document("small")
    buffer.change(2, [change((0, 5), (0, 5), "x" * DROP_LINE)])
    assert buffer.lines == [""]
    assert state(buffer) is Unusable.TOO_LONG


def test_identifiers_are_found_in_linear_time() -> None:
    buffer = document("x" * 80_000)
    started = time.process_time()
    for _ in range(1000):
        assert buffer.identifier_start(Cursor(line=0, index=80_000)).index == 80_000 - 256
    assert time.process_time() - started < 1
    assert document("a.höhe_2").identifier_start(Cursor(line=0, index=8)).index == 2
    assert document("a. ").identifier_start(Cursor(line=0, index=3)).index == 3


def test_ten_thousand_edits_take_little_time() -> None:
    text = "    value = compute(argument)\n" * 1000
    buffer = document(text)
    started = time.process_time()
    for number in range(10_000):
        buffer.change(number + 2, [change((number % 1000, 4), (number % 1000, 4), "z")])
    assert time.process_time() - started < 1.5
    assert len(buffer.text) == len(text) + 10_000


def test_edits_of_many_lines_take_little_time() -> None:
    buffer = document("short\n" * 200_000)
    started = time.process_time()
    for number in range(200):
        buffer.change(number + 2, [change((100_000, 0), (100_000, 0), "new\n")])
    assert time.process_time() - started < 1


def test_line_end_of_a_document() -> None:
    assert [document(text).line_end for text in ("", "a", "a\nb", "a\r\nb\n", "a\rb")] == [
        *("\n", "\n", "\n", "\r\n", "\r")
    ]


def test_the_store_follows_open_and_close() -> None:
    store = DocumentStore()
    store.open("u", "python", 1, "one")
    store.open("u", "python", 9, "two")
    found = store.get("u")
    assert found is not None
    assert (found.text, len(store)) == ("two", 1)
    store.close("u")
    store.close("u")
    assert store.get("u") is None
