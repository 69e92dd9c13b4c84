"""An editor's buffer as simple as it can be: a list of the encoding's units, edited in place.

Slow and obviously right; `Document` is compared with it.
"""

from __future__ import annotations

import re

CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


class ReferenceBuffer:
    """Text as bytes of a codec; positions are counted in its units."""

    def __init__(self, text: str, encoding: str) -> None:
        self.codec, self.width = CODECS[encoding]
        self.data = self._encode(text)

    @property
    def text(self) -> str:
        return self.data.decode(self.codec, "surrogatepass")

    def lines(self) -> list[str]:
        """Lines without their ends."""
        return re.split("\r\n|\n|\r", self.text)

    def offset(self, line: int, column: int) -> int:
        """Bytes before a position; columns beyond the line's end mean its end."""
        ends = [match.end() for match in re.finditer("\r\n|\n|\r", self.text)]
        start = ([0, *ends])[line]
        content = self.lines()[line]
        column = min(column, len(self._encode(content)) // self.width)
        return len(self._encode(self.text[:start])) + column * self.width

    def replace(self, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        first, last = self.offset(*start), self.offset(*end)
        self.data = self.data[:first] + self._encode(text) + self.data[last:]

    def columns(self, line: int) -> int:
        """Units of a line."""
        return len(self._encode(self.lines()[line])) // self.width

    def is_edge(self, line: int, column: int) -> bool:
        """Whether a column lies between two characters."""
        units = self._encode(self.lines()[line])[: column * self.width]
        try:
            units.decode(self.codec, "surrogatepass")
        except UnicodeDecodeError:
            return False
        return self.codec != "utf-16-le" or not self._splits_pair(line, column)

    def _splits_pair(self, line: int, column: int) -> bool:
        data = self._encode(self.lines()[line])
        before, after = data[2 * column - 2 : 2 * column], data[2 * column : 2 * column + 2]
        if len(before) < 2 or len(after) < 2:
            return False
        return 0xD8 <= before[1] <= 0xDB and 0xDC <= after[1] <= 0xDF

    def _encode(self, text: str) -> bytes:
        return text.encode(self.codec, "surrogatepass")
