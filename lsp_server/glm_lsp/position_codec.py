"""Between the editor's columns and Python's string indices.

LSP counts a column in UTF-8 bytes, UTF-16 code units or code points, as agreed at `initialize`;
Python counts code points. Lone surrogates are legal in a JavaScript editor's buffer and survive
here. Only `\\n`, `\\r\\n` and `\\r` end a line: form feeds, U+0085, U+2028 and the like do not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

ASTRAL = re.compile("[\U00010000-\U0010ffff]")
SURROGATE = re.compile("[\ud800-\udfff]")
LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)")


class PositionEncoding(StrEnum):
    """The unit of a column."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


def choose_encoding(offered: object) -> PositionEncoding:
    """The first of the client's encodings that exists; UTF-16, which all speak, without one."""
    if isinstance(offered, Sequence) and not isinstance(offered, str):
        for name in offered:
            if name in list(PositionEncoding):
                return PositionEncoding(name)
    return PositionEncoding.UTF16


def split_lines(text: str) -> list[str]:
    """Lines with their ends; the last has none and may be empty, so there is always one."""
    if "\r" not in text:
        lines = [line + "\n" for line in text.split("\n")]
        lines[-1] = lines[-1][:-1]
        return lines
    lines = LINE.findall(text)
    lines.append(text[sum(map(len, lines)) :])
    return lines


def content_length(line: str) -> int:
    """Characters of a line without its end."""
    if line.endswith("\r\n"):
        return len(line) - 2
    return len(line) - 1 if line.endswith(("\n", "\r")) else len(line)


def index_at(line: str, column: int, encoding: PositionEncoding) -> tuple[int, bool]:
    """Index of a column in a line, and whether the column is on a character's edge.

    A column past the end means the end, as LSP says; one inside a character gives the index of
    that character and False.
    """
    end = content_length(line)
    if line.isascii() or encoding is PositionEncoding.UTF32:
        return min(column, end), True
    if encoding is PositionEncoding.UTF16:
        if not ASTRAL.search(line, 0, column):
            return min(column, end), True
        codec, width = "utf-16-le", 2
    else:
        codec, width = "utf-8", 1
    # No column needs more characters than it counts, so the rest need not be encoded.
    units = line[: min(column, end)].encode(codec, "surrogatepass")
    if len(units) < column * width:
        return end, True
    index = len(units[: column * width].decode(codec, "ignore"))
    return _exact_index(line, column * width, codec, index)


def _exact_index(line: str, size: int, codec: str, guess: int) -> tuple[int, bool]:
    """Step from a guess (lone surrogates are lost in it) to the character at `size` bytes."""
    index = guess
    used = len(line[:index].encode(codec, "surrogatepass"))
    while used < size:
        step = len(line[index].encode(codec, "surrogatepass"))
        if used + step > size:
            return index, False
        used, index = used + step, index + 1
    return index, True


def column_at(line: str, index: int, encoding: PositionEncoding) -> int:
    """Column of an index in a line; the inverse of `index_at` on edges."""
    head = line[:index]
    if head.isascii() or encoding is PositionEncoding.UTF32:
        return index
    if encoding is PositionEncoding.UTF16:
        return index + len(ASTRAL.findall(head))
    return len(head.encode("utf-8", "surrogatepass"))


def join_surrogates(text: str) -> str:
    """Two lone surrogates that an edit brought together are one character, as in UTF-16."""
    if not SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def without_surrogates(text: str) -> str:
    """Text that UTF-8 can carry: each lone surrogate becomes U+FFFD."""
    return SURROGATE.sub("\ufffd", text)
