"""The words between the daemon and a worker: length-prefixed JSON objects, bounded.

Four bytes of length, big-endian, then UTF-8 JSON. JSON and not pickle, so that a worker that
was taken over by a hostile model file cannot run code in the daemon. No IO here.

    daemon → worker                             worker → daemon
    load    loader, options                     ready   info
    submit  kind, request, tenant (id is ours)  failed  error            loading failed
    cancel  id                                  chunk   id, chunk
    ping    n                                   error   id, error
                                                cancelled  id            its row is free
                                                pong    n
                                                broken  error            `step` raised; it exits
"""

from __future__ import annotations

import json
import struct
from typing import Any

Message = dict[str, Any]

LENGTH = struct.Struct(">I")
MAX_MESSAGE = 16 * 2**20  # bytes; a body of 4 MiB grows at most threefold by \\u escapes


class BrokenPipeFraming(Exception):
    """The other end sent something that is no message. Only its death can mend that."""


def encode(message: Message) -> bytes:
    """One message as bytes. Raises ValueError when it is over `MAX_MESSAGE`.

    ASCII escapes are kept, so that a lone surrogate in an editor's text survives.
    """
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    if len(body) > MAX_MESSAGE:
        raise ValueError(f"a message of {len(body)} bytes is over {MAX_MESSAGE}")
    return LENGTH.pack(len(body)) + body


class Decoder:
    """Bytes in, whole messages out; holds the rest of an unfinished one."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by `data`. Raises BrokenPipeFraming."""
        self._buffer += data
        messages: list[Message] = []
        start = 0
        while len(self._buffer) - start >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._buffer, start)
            if length > MAX_MESSAGE:
                raise BrokenPipeFraming(f"a message claims {length} bytes")
            end = start + LENGTH.size + length
            if len(self._buffer) < end:
                break
            messages.append(_parse(bytes(self._buffer[start + LENGTH.size : end])))
            start = end
        del self._buffer[:start]
        return messages


def _parse(body: bytes) -> Message:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise BrokenPipeFraming("a message is not JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise BrokenPipeFraming("a message is not an object with an op")
    return message
