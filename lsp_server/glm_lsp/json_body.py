"""JSON in and out of message bodies, within bounds that keep memory and time small.

Bounds are checked on the text before it is parsed: a body of 64 MiB of brackets would cost more
than a gigabyte as Python lists.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

MAX_DEPTH = 64
MAX_NODES = 500_000  # values in one message; a long string is one
MAX_INTEGER = 2**53  # exclusive; what every JSON reader can hold
# The closing quote is optional, so that no quote is ever looked at twice: linear on any input.
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

JsonObject = dict[str, Any]


class JsonError(ValueError):
    """A body that is not JSON, or more of it than anybody needs."""


def parse_body(body: bytes) -> Any:
    """The value in `body`. Raises JsonError."""
    check_shape(body)
    try:
        return DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, JsonError):
            raise
        raise JsonError("The message is not valid JSON in UTF-8.") from error


def check_shape(body: bytes) -> None:
    """Raises JsonError when the body nests too deep or holds too many values."""
    skeleton = STRING.sub(b"", body)
    if skeleton.count(b",") + skeleton.count(b"[") + skeleton.count(b"{") > MAX_NODES:
        raise JsonError(f"The message holds more than {MAX_NODES} values.")
    brackets = skeleton.translate(None, NOT_BRACKETS)
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise JsonError(f"The message nests deeper than {MAX_DEPTH} levels.")


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(value := int(digits)) >= MAX_INTEGER:
        raise JsonError("The message holds an integer of 2^53 or more.")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise JsonError("The message holds a number too large for a double.")
    return value


def _constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not JSON.")


DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_constant)


def encode_body(message: JsonObject) -> bytes:
    """JSON text of a message; ASCII, so that lone surrogates cannot break it."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
