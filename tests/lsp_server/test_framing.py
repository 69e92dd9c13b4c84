"""Frames: every stream that stock readers hang or die on is understood or refused (F6)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_lsp.framing import (
    MAX_BODY,
    MAX_HEADER,
    MAX_LINE,
    FrameDecoder,
    FramingError,
    encode_frame,
)


def decode(data: bytes) -> list[bytes]:
    decoder = FrameDecoder()
    bodies = list(decoder.feed(data))
    decoder.end()
    return bodies


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 2\r\n\r\n",
        b"content-length: 2\r\n\r\n",
        b"CONTENT-LENGTH:2\r\n\r\n",
        b"Content-Length : 2\r\n\r\n",
        b"Content-Length: 2\n\n",
        b"Content-Length: 2\r\n\n",
        b"Content-Length: 002\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n",
        b"X-Unknown: yes\r\nContent-Length: 2\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b'Content-Length: 2\r\nContent-Type: x; charset="UTF8"\r\n\r\n',
        b"\r\n\nContent-Length: 2\r\n\r\n",
    ],
)
def test_a_plain_meaning_is_understood(header: bytes) -> None:
    assert decode(header + b"{}" + header + b"[]") == [b"{}", b"[]"]


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: -2\r\n\r\n{}",
        b"Content-Length: +2\r\n\r\n{}",
        b"Content-Length: 2.0\r\n\r\n{}",
        b"Content-Length: 0x2\r\n\r\n{}",
        b"Content-Length: \r\n\r\n{}",
        b"Content-Length: two\r\n\r\n{}",
        "Content-Length: ２\r\n\r\n{}".encode(),
        b"Content-Length: 1000000000000\r\n\r\n",
        b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
        b"Content-Length: " + b"9" * 3000 + b"\r\n\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1),
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Type: text; charset=utf-16\r\n\r\n{}",
        b"no colon here\r\n\r\n{}",
        b'{"jsonrpc":"2.0","method":"exit"}',
        b"x" * (MAX_LINE + 1),
        b"X-Long: " + b"x" * MAX_LINE + b"\r\n",
        (b"X-Many: " + b"x" * 100 + b"\r\n") * (MAX_HEADER // 100),
        b"\r\n" * MAX_HEADER,
        b"Content-Length: 5\r\n\r\n{}",
        b"Content-Length: 2\r\n",
        b"Content-Le",
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(FramingError):
        decode(data)


def test_a_refusal_comes_without_the_rest_of_the_line() -> None:
    decoder = FrameDecoder()
    for _ in range(MAX_LINE // 1024 - 1):
        assert list(decoder.feed(b"x" * 1024)) == []
    with pytest.raises(FramingError, match="longer than"):
        list(decoder.feed(b"x" * 1024))


def test_a_declared_length_reserves_no_memory() -> None:
    decoder = FrameDecoder()
    assert list(decoder.feed(b"Content-Length: %d\r\n\r\n{" % MAX_BODY)) == []
    assert len(decoder._pending) == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=4), st.data())
def test_pieces_of_any_size_give_the_same_bodies(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(encode_frame, bodies))
    decoder = FrameDecoder()
    found: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    decoder.end()
    assert found == bodies


@given(st.binary(max_size=2000))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    with contextlib.suppress(FramingError):
        decode(data)
