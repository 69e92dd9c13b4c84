"""The editor's open buffers, kept as lines and changed in place.

Invariant: a document's text is the editor's, or the document says that it is not (`stale`) until
the editor sends the whole text again. Nothing is ever read from disk: a URI is only a name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from glm_lsp.params import Change, Position, Range
from glm_lsp.position_codec import (
    PositionEncoding,
    column_at,
    content_length,
    index_at,
    join_surrogates,
    split_lines,
)

MAX_LENGTH = 2_000_000  # characters of a document that gets completions
MAX_LINE = 512 * 1024  # characters of a line of such a document
DROP_LENGTH = 4 * MAX_LENGTH  # beyond these the text is not even kept
DROP_LINE = 4 * MAX_LINE
MAX_IDENTIFIER = 256


class Unusable(StrEnum):
    """Why a document gets no completions; the words are shown to the user."""

    STALE = "the editor's changes to this document could not be followed; reopen it"
    TOO_LONG = "this document is too large for completions"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """A place in a document: line, and index of a character in it."""

    line: int
    index: int


class Document:
    """One buffer. Edits that make no sense mark it stale instead of raising."""

    def __init__(
        self, uri: str, language: str, version: int | None, text: str, encoding: PositionEncoding
    ) -> None:
        self.uri = uri
        self.language = language
        self.version = version
        self.encoding = encoding
        self.changed_at = 0.0  # time.monotonic() of the last change; 0 before any
        self.lines: list[str] = [""]
        self._stale = False
        self._dropped = False
        self._length = 0
        self._long_lines = 0  # lines over MAX_LINE
        self._replace_all(text)

    @property
    def text(self) -> str:
        return "".join(self.lines)

    @property
    def unusable(self) -> Unusable | None:
        """Why there are no completions here, or None."""
        if self._stale:
            return Unusable.STALE
        if self._dropped or self._long_lines or self._length > MAX_LENGTH:
            return Unusable.TOO_LONG
        return None

    @property
    def line_end(self) -> str:
        """The line end of the first line, which new lines should have."""
        first = self.lines[0]
        return first[content_length(first) :] or "\n"

    def change(self, version: int | None, changes: list[Change]) -> None:
        """Apply the changes of one notification, in order."""
        self.changed_at = time.monotonic()
        if version is not None and self.version is not None and version <= self.version:
            self._stale = True
        self.version = version
        for change in changes:
            if change.range is None or self._is_whole(change.range):
                self._replace_all(change.text)
            elif not self._stale and not self._dropped:
                self._stale = not self._replace(change.range, change.text)

    def mark_stale(self) -> None:
        """A change was lost; nothing is known until the whole text comes again."""
        self._stale = True

    def cursor(self, position: Position) -> Cursor | None:
        """Where a position lies; a column inside a character means before it."""
        if position.line >= len(self.lines):
            return None
        index, _ = index_at(self.lines[position.line], position.character, self.encoding)
        return Cursor(line=position.line, index=index)

    def position(self, cursor: Cursor) -> Position:
        """Inverse of `cursor`."""
        column = column_at(self.lines[cursor.line], cursor.index, self.encoding)
        return Position(line=cursor.line, character=column)

    def identifier_start(self, cursor: Cursor) -> Cursor:
        """Where the identifier that ends at the cursor begins; the cursor itself without one."""
        line, index = self.lines[cursor.line], cursor.index
        least = max(0, index - MAX_IDENTIFIER)
        while index > least and (line[index - 1].isalnum() or line[index - 1] == "_"):
            index -= 1
        return Cursor(line=cursor.line, index=index)

    def _is_whole(self, where: Range) -> bool:
        """Some editors replace everything by a range from the start to beyond the end."""
        start, end = where.start, where.end
        return start.line == start.character == 0 and end.line >= len(self.lines)

    def _replace_all(self, text: str) -> None:
        self._length, self._long_lines = 0, 0
        self._stale = False
        self._dropped = False
        self.lines = split_lines(text)
        self._count(self.lines, 1)
        self._drop_if_huge(self.lines)

    def _replace(self, where: Range, text: str) -> bool:
        """Put `text` into a range; False where the range is not one of this document."""
        first, last = where.start.line, where.end.line
        if last == len(self.lines) and where.end.character == 0:
            # The line after the last: some editors count the end of the text as a line end.
            last -= 1
            tail_index, tail_exact = len(self.lines[last]), True
        elif last < len(self.lines):
            column = where.end.character
            tail_index, tail_exact = index_at(self.lines[last], column, self.encoding)
        else:
            return False
        if first > last:
            return False
        head_index, head_exact = index_at(self.lines[first], where.start.character, self.encoding)
        if first == last and (head_index, not head_exact) > (tail_index, not tail_exact):
            return False
        head, tail = self.lines[first][:head_index], self.lines[last][tail_index:]
        if not head_exact or not tail_exact:
            if self.encoding is not PositionEncoding.UTF16:
                return False
            if not head_exact:
                head += halves(self.lines[first][head_index])[0]
            if not tail_exact:
                tail = halves(tail[0])[1] + tail[1:]
        self._splice(first, last, head + text + tail)
        return True

    def _splice(self, first: int, last: int, piece: str) -> None:
        """Put `piece` in the place of the lines `first` … `last`."""
        if self.encoding is PositionEncoding.UTF16:
            piece = join_surrogates(piece)
        if first > 0 and piece.startswith("\n") and self.lines[first - 1].endswith("\r"):
            first -= 1
            piece = self.lines[first] + piece
        new = split_lines(piece)
        if last < len(self.lines) - 1:
            new.pop()  # the piece ends with a line end; what follows is the next line
        self._count(self.lines[first : last + 1], -1)
        self._count(new, 1)
        self.lines[first : last + 1] = new
        self._drop_if_huge(new)

    def _count(self, lines: list[str], sign: int) -> None:
        self._length += sign * sum(map(len, lines))
        self._long_lines += sign * sum(len(line) > MAX_LINE for line in lines)

    def _drop_if_huge(self, new: list[str]) -> None:
        """Let go of a text that is beyond all use, so that edits of it cost nothing."""
        if self._length > DROP_LENGTH or any(len(line) > DROP_LINE for line in new):
            self._dropped = True
            self.lines = [""]


def halves(character: str) -> tuple[str, str]:
    """The two UTF-16 surrogates of a character beyond U+FFFF."""
    units = character.encode("utf-16-le")
    high, low = units[:2], units[2:]
    return high.decode("utf-16-le", "surrogatepass"), low.decode("utf-16-le", "surrogatepass")


class DocumentStore:
    """The open documents of a session, by URI."""

    def __init__(self) -> None:
        self.encoding = PositionEncoding.UTF16
        self._documents: dict[str, Document] = {}

    def open(self, uri: str, language: str, version: int | None, text: str) -> Document:
        """Begin, or begin anew, to follow a buffer."""
        document = Document(uri, language, version, text, self.encoding)
        self._documents[uri] = document
        return document

    def get(self, uri: str) -> Document | None:
        return self._documents.get(uri)

    def close(self, uri: str) -> None:
        self._documents.pop(uri, None)

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(list(self._documents.values()))
