"""The part of a document around the cursor that is sent to the daemon.

Counted in characters and cut at line ends; the engine's side packs it by tokens. Line ends are
`\\n` here, whatever the document has, so that the model sees one kind.
"""

from __future__ import annotations

from dataclasses import dataclass

from glm_lsp.documents import Cursor, Document

MAX_PREFIX = 24_000  # characters before the cursor
MAX_SUFFIX = 8_000
STRIDE = 32  # lines; a window that is cut begins at a multiple of it


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextWindow:
    """Text before and after a cursor. `line` is the cursor's line in the document."""

    line: int
    prefix: str
    suffix: str

    @property
    def head(self) -> str:
        """The cursor's line up to the cursor."""
        return self.prefix[self.prefix.rfind("\n") + 1 :]


def window_at(document: Document, cursor: Cursor) -> ContextWindow:
    """The window around `cursor`."""
    line = document.lines[cursor.line]
    return ContextWindow(
        line=cursor.line,
        prefix=_before(document.lines, cursor.line, line[: cursor.index]),
        suffix=_after(document.lines, cursor.line, line[cursor.index :]),
    )


def with_selected(document: Document, start: Cursor, end: Cursor, text: str) -> ContextWindow:
    """The window as it would be with the menu's selected `text` in place of `start` … `end`."""
    head = document.lines[start.line][: start.index] + text
    return ContextWindow(
        line=end.line,
        prefix=_before(document.lines, start.line, head),
        suffix=_after(document.lines, end.line, document.lines[end.line][end.index :]),
    )


def _before(lines: list[str], number: int, head: str) -> str:
    head = head[-MAX_PREFIX:]
    first, room = number, MAX_PREFIX - len(head)
    while first > 0 and len(lines[first - 1]) <= room:
        first -= 1
        room -= len(lines[first])
    if first > 0:
        # On a coarse grid: a start that slid with every key would cost the engine its KV prefix.
        first = min(-(-first // STRIDE) * STRIDE, number)
    return unix_lines("".join([*lines[first:number], head]))


def _after(lines: list[str], number: int, rest: str) -> str:
    pieces = [rest[:MAX_SUFFIX]]
    room = MAX_SUFFIX - len(pieces[0])
    while number + 1 < len(lines) and len(lines[number + 1]) <= room:
        number += 1
        pieces.append(lines[number])
        room -= len(lines[number])
    return unix_lines("".join(pieces))


def unix_lines(text: str) -> str:
    """Text with `\\n` as its only line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
