"""The frames between the parse process and its clients.

A question is 8 bytes of lengths, a JSON head and the text as UTF-8; an answer is 4 bytes of
length and JSON. JSON, because nobody unpickles what a process says that reads hostile files.
"""

from __future__ import annotations

import json
import struct
from typing import Any

QUESTION = struct.Struct(">II")
ANSWER = struct.Struct(">I")
MAX_HEAD = 1 << 16
MAX_TEXT = 8 << 20
MAX_ANSWER = 8 << 20


def question(head: dict[str, Any], text: str) -> bytes:
    """One question. Characters that UTF-8 lacks become "?": the count of characters stays."""
    body = json.dumps(head).encode()
    data = text.encode("utf-8", "replace")
    return QUESTION.pack(len(body), len(data)) + body + data


def answer(wire: dict[str, Any]) -> bytes:
    body = json.dumps(wire, separators=(",", ":")).encode()
    return ANSWER.pack(len(body)) + body


def answer_length(head: bytes) -> int:
    """Length of the answer that follows. Raises ValueError for an impossible one."""
    (length,) = ANSWER.unpack(head)
    if length > MAX_ANSWER:
        raise ValueError(f"an answer of {length:,} bytes")
    return int(length)
