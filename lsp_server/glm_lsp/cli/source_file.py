"""Reads one source file for a command and splits it at a cursor.

Not the editor's path: editors send their buffers, see `documents`.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from glm_protocol.errors import BadRequest

MAX_BYTES = 2_000_000
LINE_END = re.compile(r"\r\n|\n|\r")  # the three of LSP; form feeds and U+2028 end no line


def read_source(path: Path) -> str:
    """Text of a regular file of at most 2 MB. Raises BadRequest that says what is wrong."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for its writer.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise BadRequest(f"{path} is not a regular file.", remedy="Name a source file.")
            if found.st_size > MAX_BYTES:
                raise BadRequest(
                    f"{path} has {found.st_size:,} bytes; at most {MAX_BYTES:,} are read.",
                    remedy="Name a smaller file.",
                )
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadRequest(
            f"{path} cannot be read: {error.strerror}.", remedy="Check the name and its rights."
        ) from error
    if b"\0" in data:
        raise BadRequest(f"{path} is a binary file.", remedy="Name a source file.")
    return data.decode("utf-8-sig", errors="replace")


def split_at(text: str, line: int, column: int) -> tuple[str, str]:
    """(before, after) the cursor. 1-based; `column` counts code points and may be one past the end.

    Raises BadRequest when the place is not in the text.
    """
    starts = [0, *(match.end() for match in LINE_END.finditer(text))]
    if not 1 <= line <= len(starts):
        raise BadRequest(
            f"Line {line} is not in the file, which has {len(starts)}.",
            remedy="Lines count from 1.",
        )
    start = starts[line - 1]
    found = LINE_END.search(text, start)
    width = (found.start() if found else len(text)) - start
    if not 1 <= column <= width + 1:
        raise BadRequest(
            f"Column {column} is not in line {line}, which has {width} characters.",
            remedy=f"Columns count from 1; {width + 1} is the end of this line.",
        )
    cursor = start + column - 1
    return text[:cursor], text[cursor:]
