"""One file of keys and values: whole pages from a prompt's beginning, and by what they are known.

    8 bytes          name and version of the format
    4 + 4 bytes      count of pages, bytes of a page
    16 bytes         digest of the rest of the head
    16 bytes a page  its mark: a hash of all tokens up to its end (`kv_on_disk.marks_of`)
    4 bytes a page   its checksum
    the pages

No text and no token stands in it; what can be told from keys and values is said in
docs/security.md. It is read, not mapped: the pages go into the engine's own memory anyway, and a
map of a file that somebody shortens would end the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FORMAT = b"glmkv\0\0\1"
MARK = 16  # bytes
PART = ".part"  # ends the name of a file that is being written
_COUNTS = struct.Struct("<II")
_HEAD = len(FORMAT) + _COUNTS.size + MARK
_MOST_PAGES = 1 << 16

Pages = NDArray[np.uint8]  # [page, byte]


class DamagedFile(Exception):
    """It is not such a file, or not whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrefixFile:
    """The head of a file that was looked at; its pages are checked when they are read."""

    path: Path
    page_bytes: int
    marks: tuple[bytes, ...]
    checks: tuple[int, ...]

    @property
    def size(self) -> int:
        return _HEAD + len(self.marks) * (MARK + 4 + self.page_bytes)

    def read(self, first: int, end: int) -> Pages:
        """Pages `first` to `end`. Raises DamagedFile or OSError."""
        pages = np.empty((end - first, self.page_bytes), np.uint8)
        with self.path.open("rb") as file:
            file.seek(self.size - (len(self.marks) - first) * self.page_bytes)
            if file.readinto(pages.data) != pages.nbytes:
                raise DamagedFile
        for number, page in enumerate(pages, first):
            if zlib.crc32(page.data) != self.checks[number]:
                raise DamagedFile
        return pages


def open_prefix(path: Path) -> PrefixFile:
    """Look at its head. Raises DamagedFile or OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if len(head) < _HEAD or not head.startswith(FORMAT):
            raise DamagedFile
        count, page_bytes = _COUNTS.unpack_from(head, len(FORMAT))
        if not 0 < count <= _MOST_PAGES:
            raise DamagedFile
        rest = file.read(count * (MARK + 4))
        size = os.fstat(file.fileno()).st_size
    if len(rest) < count * (MARK + 4) or _digest(count, page_bytes, rest) != head[-MARK:]:
        raise DamagedFile
    marks = tuple(rest[at : at + MARK] for at in range(0, count * MARK, MARK))
    checks = struct.unpack_from(f"<{count}I", rest, count * MARK)
    found = PrefixFile(path=path, page_bytes=page_bytes, marks=marks, checks=checks)
    if found.size != size:
        raise DamagedFile
    return found


def write_prefix(path: Path, marks: Sequence[bytes], pages: Pages) -> PrefixFile:
    """Whole or not at all, for this user alone. Raises OSError."""
    checks = tuple(zlib.crc32(page.data) for page in pages)
    rest = b"".join(marks) + struct.pack(f"<{len(checks)}I", *checks)
    count, page_bytes = pages.shape
    part = path.with_name(path.name + PART)
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(FORMAT + _COUNTS.pack(count, page_bytes))
            file.write(_digest(count, page_bytes, rest) + rest)
            file.write(pages.data)
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return PrefixFile(path=path, page_bytes=page_bytes, marks=tuple(marks), checks=checks)


def _digest(count: int, page_bytes: int, rest: bytes) -> bytes:
    return hashlib.blake2b(_COUNTS.pack(count, page_bytes) + rest, digest_size=MARK).digest()
