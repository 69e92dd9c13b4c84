"""Parameters of the editor's messages as typed values, read once, at the edge.

Readers raise InvalidParams with the name of the offending field and never show its value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glm_lsp.json_body import JsonObject
from glm_lsp.rpc_errors import InvalidParams

MAX_URI = 8192


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Zero-based line and column; the column's unit is the agreed encoding's."""

    line: int
    character: int

    def to_wire(self) -> JsonObject:
        return {"line": self.line, "character": self.character}


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """From `start` up to, not including, `end`."""

    start: Position
    end: Position

    def to_wire(self) -> JsonObject:
        return {"start": self.start.to_wire(), "end": self.end.to_wire()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """New text for a range, or for the whole document where there is no range."""

    text: str
    range: Range | None


def read_object(params: JsonObject, key: str) -> JsonObject:
    value = params.get(key)
    if not isinstance(value, dict):
        raise InvalidParams(f"{key} is missing or no object.")
    return value


def read_list(params: JsonObject, key: str) -> list[Any]:
    value = params.get(key)
    if not isinstance(value, list):
        raise InvalidParams(f"{key} is missing or no list.")
    return value


def read_string(params: JsonObject, key: str) -> str:
    value = params.get(key)
    if not isinstance(value, str):
        raise InvalidParams(f"{key} is missing or no string.")
    return value


def read_unsigned(params: JsonObject, key: str) -> int:
    value = params.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidParams(f"{key} is missing or no unsigned integer.")
    return value


def read_uri(params: JsonObject) -> str:
    """Of `params.textDocument`, as sent: it is a name, and nothing is ever opened by it."""
    uri = read_string(read_object(params, "textDocument"), "uri")
    if not 0 < len(uri) <= MAX_URI:
        raise InvalidParams(f"textDocument.uri is empty or longer than {MAX_URI} characters.")
    return uri


def read_version(params: JsonObject) -> int | None:
    """Of `params.textDocument`; older clients send none."""
    version = read_object(params, "textDocument").get("version")
    if isinstance(version, int) and not isinstance(version, bool):
        return version
    if version is None:
        return None
    raise InvalidParams("textDocument.version is no integer.")


def read_position(params: JsonObject, key: str = "position") -> Position:
    value = read_object(params, key)
    return Position(line=read_unsigned(value, "line"), character=read_unsigned(value, "character"))


def read_range(params: JsonObject, key: str = "range") -> Range:
    value = read_object(params, key)
    return Range(start=read_position(value, "start"), end=read_position(value, "end"))


def read_change(value: Any) -> Change:
    """One of `contentChanges`."""
    if not isinstance(value, dict):
        raise InvalidParams("A content change is no object.")
    whole = value.get("range") is None
    return Change(text=read_string(value, "text"), range=None if whole else read_range(value))
