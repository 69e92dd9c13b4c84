"""Reads the daemon's HTTP answers: lines, chunks, errors. Pure; speaks to nobody."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from glm_protocol.answers import Chunk
from glm_protocol.errors import DaemonUnreachable, GlmError, Overloaded, from_wire

MAX_LINE = 16 * 1024 * 1024  # bytes of one line of an answer; a picture is one line


async def lines_of(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines that end with LF and nothing else (httpx's own would split at U+2028)."""
    pending = b""
    async for piece in pieces:
        *lines, pending = (pending + piece).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
        if len(pending) > MAX_LINE:
            raise DaemonUnreachable("A line of the daemon's answer is too long.")
    if pending.strip():
        yield pending


def chunk_of(line: bytes) -> Chunk:
    """One line of an answer. Raises the GlmError that it carries."""
    try:
        wire = json.loads(line)
        if not isinstance(wire, dict):
            raise TypeError
        if "error" in wire:
            raise from_wire(wire)
        return Chunk.from_wire(wire)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DaemonUnreachable("A line of the daemon's answer cannot be read.") from error


def error_of(status: int, body: bytes, headers: Any) -> GlmError:
    """The error behind an HTTP status."""
    try:
        error = from_wire(json.loads(body))
    except (ValueError, RecursionError):
        return GlmError(f"The daemon answered with HTTP status {status}.")
    retry_after = headers.get("retry-after", "")
    if isinstance(error, Overloaded) and retry_after.isdecimal():
        error.retry_after_s = int(retry_after)
    return error


def unreachable(error: Exception) -> DaemonUnreachable:
    """A transport fault in our words."""
    if "Timeout" in type(error).__name__:
        return DaemonUnreachable("The daemon does not answer.", remedy="See `glm-lsp status`.")
    return DaemonUnreachable(f"The daemon cannot be reached ({type(error).__name__}).")


def cause(error: Exception, httpx: Any) -> Exception:
    """TimeoutError where the daemon is silent, ConnectionRefusedError where none listens."""
    if isinstance(error, httpx.TimeoutException):
        return TimeoutError()
    return ConnectionRefusedError() if isinstance(error, httpx.ConnectError) else error
