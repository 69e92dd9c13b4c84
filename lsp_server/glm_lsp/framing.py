"""The base protocol's frames: bytes in, message bodies out, and back. Pure; reads nothing itself.

Own, because stock readers hang or die on malformed headers. Tolerant where the meaning is plain
(any case of header names, missing space, bare LF, blank lines between frames); everything else is
a `FramingError`, after which the stream cannot be trusted and the process has to end.
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_LINE = 4 * 1024  # bytes of one header line
MAX_HEADER = 16 * 1024  # bytes of all lines of one header
MAX_BODY = 64 * 1024 * 1024
UTF8_NAMES = (b"utf-8", b"utf8")


class FramingError(Exception):
    """The stream is not LSP framing. The message says what was found, in one line."""


class FrameDecoder:
    """Takes bytes in pieces of any size and gives whole bodies. Holds at most one message."""

    def __init__(self) -> None:
        self._pending = bytearray()  # what came and is not yet understood
        self._header_bytes = 0
        self._length: int | None = None  # from Content-Length of the header being read
        self._in_body = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Bodies completed by `data`. Raises FramingError. Consume the iterator fully."""
        self._pending += data
        while True:
            if not self._in_body and not self._read_header():
                return
            assert self._length is not None
            if len(self._pending) < self._length:
                return
            body = bytes(memoryview(self._pending)[: self._length])
            del self._pending[: self._length]
            self._length, self._in_body, self._header_bytes = None, False, 0
            yield body

    def end(self) -> None:
        """The stream has ended. Raises FramingError if it did so inside a message."""
        if self._in_body:
            raise FramingError(
                f"The stream ended {len(self._pending)} bytes into a message of {self._length}."
            )
        if self._pending or self._length is not None:
            raise FramingError("The stream ended inside a header.")

    def _read_header(self) -> bool:
        """Consume header lines; True once the body is next."""
        while True:
            end = self._pending.find(b"\n", 0, MAX_LINE)
            if end < 0:
                if len(self._pending) >= MAX_LINE:
                    raise FramingError(f"A header line is longer than {MAX_LINE} bytes.")
                return False
            line = bytes(self._pending[:end]).rstrip(b"\r")
            del self._pending[: end + 1]
            self._header_bytes += end + 1
            if self._header_bytes > MAX_HEADER:
                raise FramingError(f"A header is longer than {MAX_HEADER} bytes.")
            if line:
                self._read_field(line)
            elif self._length is not None:
                self._in_body = True
                return True

    def _read_field(self, line: bytes) -> None:
        name, colon, value = line.partition(b":")
        if not colon:
            raise FramingError(f"A header line has no colon: {line[:60]!r}.")
        name, value = name.strip().lower(), value.strip()
        if name == b"content-length":
            length = parse_length(value)
            if self._length not in (None, length):
                raise FramingError("Two Content-Length headers disagree.")
            self._length = length
        elif name == b"content-type":
            charset = value.lower().partition(b"charset=")[2].split(b";")[0].strip(b" \"'")
            if charset and charset not in UTF8_NAMES:
                raise FramingError(f"The charset {charset[:40]!r} is not utf-8.")


def parse_length(value: bytes) -> int:
    """Value of a Content-Length header, 0 … MAX_BODY. Raises FramingError."""
    if not value.isdigit() or len(value) > 16:
        raise FramingError(f"Content-Length is not a plain number: {value[:40]!r}.")
    length = int(value)
    if length > MAX_BODY:
        raise FramingError(f"Content-Length {length} is over the bound of {MAX_BODY}.")
    return length


def encode_frame(body: bytes) -> bytes:
    """One message as it goes over the wire."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
