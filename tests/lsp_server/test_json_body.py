"""JSON bodies within bounds (T-13)."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_lsp.json_body import MAX_DEPTH, MAX_NODES, JsonError, encode_body, parse_body

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_what_json_writes_is_read(value: object) -> None:
    assert parse_body(json.dumps(value).encode()) == value
    assert parse_body(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) is not ...


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe{}",
        b'{"a": "\xc3\x28"}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 9007199254740992}',
        b'{"a": -9007199254740992}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b"[" + b"0," * MAX_NODES + b"0]",
        b'"unfinished',
        b'"' * 99_999,
        b"\\" * 1000,
    ],
)
def test_what_nobody_needs_is_refused(body: bytes) -> None:
    with pytest.raises(JsonError):
        parse_body(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b'{"a": 9007199254740991}',
        json.dumps({"text": '[{,\\"' * 300_000}).encode(),
        json.dumps({"text": "x\n\"'\\" * 100_000}).encode(),
    ],
)
def test_what_an_editor_sends_is_read(body: bytes) -> None:
    assert parse_body(body) == json.loads(body)


def test_a_bomb_costs_little_time() -> None:
    started = time.process_time()
    for body in (b"[]," * 2_000_000, b'"' + b'\\"' * 2_000_000, b'"\\' * 2_000_000):
        with pytest.raises(JsonError):
            parse_body(body)
    assert time.process_time() - started < 3


def test_lone_surrogates_survive_both_ways() -> None:
    value = {"text": "\ud83d x \ude00"}
    assert parse_body(encode_body(value)) == value
