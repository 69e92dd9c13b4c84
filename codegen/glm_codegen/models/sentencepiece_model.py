"""A SentencePiece model file, read without the sentencepiece package.

The file is one protocol buffer message; of its fields only those that decide how text becomes
ids are taken. Field numbers: sentencepiece_model.proto of google/sentencepiece; the encoding:
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class PieceKind(IntEnum):
    """What a piece is; only NORMAL ones are made by merging."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    text: str
    score: float
    kind: PieceKind


@dataclass(frozen=True, kw_only=True, slots=True)
class SentencePieceModel:
    """Ids are positions in `pieces`; an id of -1 means that there is no such token."""

    pieces: tuple[Piece, ...]
    is_bpe: bool
    byte_fallback: bool
    space_is_suffix: bool
    unknown_id: int
    begin_id: int
    end_id: int
    pad_id: int
    character_map: bytes
    adds_dummy_prefix: bool
    removes_extra_spaces: bool
    escapes_spaces: bool


def read_sentencepiece_model(content: bytes) -> SentencePieceModel:
    """Parse a `.model` file. Raises ValueError where it is none, or torn."""
    pieces: list[Piece] = []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    for number, value in _fields(content):
        if number == 1:
            pieces.append(_piece(_message(value)))
        elif number == 2:
            trainer = _message(value)
        elif number == 3:
            normalizer = _message(value)
    if not pieces or not trainer:
        raise ValueError("it holds no SentencePiece vocabulary")
    return SentencePieceModel(
        pieces=tuple(pieces),
        is_bpe=trainer.get(3, 1) == 2,
        space_is_suffix=bool(trainer.get(24, 0)),
        byte_fallback=bool(trainer.get(35, 0)),
        unknown_id=_signed(trainer.get(40, 0)),
        begin_id=_signed(trainer.get(41, 1)),
        end_id=_signed(trainer.get(42, 2)),
        pad_id=_signed(trainer.get(43, -1)),
        character_map=normalizer.get(2, b""),
        adds_dummy_prefix=bool(normalizer.get(3, 1)),
        removes_extra_spaces=bool(normalizer.get(4, 1)),
        escapes_spaces=bool(normalizer.get(5, 1)),
    )


def _piece(fields: dict[int, Any]) -> Piece:
    text = fields.get(1, b"")
    if not isinstance(text, bytes):
        raise ValueError("a piece has no text")
    (score,) = struct.unpack("<f", fields.get(2, b"\0\0\0\0"))
    return Piece(text=text.decode(), score=score, kind=PieceKind(fields.get(3, 1)))


def _message(value: int | bytes) -> dict[int, Any]:
    """Fields of an inner message; of a repeated one the last."""
    if not isinstance(value, bytes):
        raise ValueError("a message was expected")
    return dict(_fields(value))


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, integer or bytes) of one message, in order."""
    position = 0
    while position < len(content):
        key, position = _varint(content, position)
        wire_type = key & 7
        if wire_type == 0:
            value, position = _varint(content, position)
            yield key >> 3, value
            continue
        if wire_type == 2:
            length, position = _varint(content, position)
        elif wire_type in (1, 5):
            length = 8 if wire_type == 1 else 4
        else:
            raise ValueError("it is not a SentencePiece model")
        if position + length > len(content):
            raise ValueError("it is cut short")
        yield key >> 3, content[position : position + length]
        position += length


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(content):
            raise ValueError("it is cut short")
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("it is not a SentencePiece model")


def _signed(value: int) -> int:
    """An int32 as it was meant: negative ones travel as 64-bit two's complement."""
    return value - (1 << 64) if value >= 1 << 63 else value
