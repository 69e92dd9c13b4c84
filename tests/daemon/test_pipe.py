"""Framing between daemon and worker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_daemon.pipe import LENGTH, MAX_MESSAGE, BrokenPipeFraming, Decoder, encode

messages = st.lists(
    st.fixed_dictionaries(
        {"op": st.text(max_size=8), "text": st.text(st.characters(), max_size=40)}
    ),
    max_size=5,
)


@given(messages, st.integers(1, 50))
def test_messages_survive_any_cut(sent: list[dict[str, str]], size: int) -> None:
    stream = b"".join(map(encode, sent))
    decoder = Decoder()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [message for piece in pieces for message in decoder.feed(piece)] == sent


def test_a_lone_surrogate_survives() -> None:
    message = {"op": "submit", "text": "\ud83d"}
    assert Decoder().feed(encode(message)) == [message]


def test_a_message_over_the_bound_is_not_made() -> None:
    with pytest.raises(ValueError, match="over"):
        encode({"op": "submit", "text": "x" * MAX_MESSAGE})


@pytest.mark.parametrize(
    "stream",
    [
        LENGTH.pack(MAX_MESSAGE + 1),
        LENGTH.pack(2) + b"{]",
        LENGTH.pack(2) + b"[]",
        LENGTH.pack(2) + b"{}",
        LENGTH.pack(8) + b'{"op":1}',
        b"a library's banner",
    ],
)
def test_garbage_is_refused(stream: bytes) -> None:
    with pytest.raises(BrokenPipeFraming):
        Decoder().feed(stream)
