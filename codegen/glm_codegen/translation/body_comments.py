"""Comments inside bodies: a translation takes them over, so no model is asked to.

They are taken out of the outline, and stand again before the translation of the line that they
stood before. Documentation stays in the outline, where it goes depends on the target: it has signs
of its own, but in Go and C++, where it is what stands before a head.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from glm_codegen.translation.outline import Outline

_COMMENT = re.compile(r"\s*(?:#|//) ?(.*)")
_DOCUMENTS = frozenset({"go", "cpp", "c"})
_HEAD = re.compile(
    r"\s*(?:(?:class|struct|type|func|enum) .*|template ?<.*"
    r"|(?!(?:if|for|while|else|switch|do|try|catch|return|case|default|let)\b)[^=}\s][^=]*\) ?\{)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What one comment says, a placeholder as a rule, and whether its block ends behind it."""

    text: str
    last: bool


Notes = dict[int, tuple[Note, ...]]  # by the outline's line that follows; its length for the end


def without_notes(found: Outline, language: str) -> tuple[Outline, Notes]:
    """The outline without the comments inside bodies, and these."""
    documents = language in _DOCUMENTS
    kept: list[int] = []
    notes: Notes = {}
    held: list[str] = []
    for at, line in enumerate(found.lines):
        match = _COMMENT.fullmatch(line)
        if match is not None and not (documents and _before_head(found.lines, at)):
            held.append(match.group(1))
            continue
        if held:
            last = line.lstrip().startswith("}")
            notes[len(kept)] = tuple(Note(text=text, last=last) for text in held)
            held = []
        kept.append(at)
    if held:
        notes[len(kept)] = tuple(Note(text=text, last=True) for text in held)
    rows = tuple(found.rows[at] for at in kept) if found.rows else ()
    return replace(found, lines=tuple(found.lines[at] for at in kept), rows=rows), notes


def _before_head(lines: tuple[str, ...], at: int) -> bool:
    """Whether the comment at this line stands, with others, before a definition's head."""
    following = next((line for line in lines[at + 1 :] if not _COMMENT.fullmatch(line)), "")
    return _HEAD.fullmatch(following) is not None


class NotePlacer:
    """Puts notes among the lines of one answer. `expect` says from where on, `place` does it."""

    def __init__(self, target: str, moves: Callable[[str], bool]) -> None:
        """`moves` tells lines that are going to stand elsewhere."""
        self._sign = "#" if target == "python" else "//"
        self._moves = moves
        self._waiting: list[tuple[int, Note]] = []
        self._indent = ""

    def expect(self, start: int, notes: tuple[Note, ...]) -> None:
        """These stand before the first line of the answer that begins at `start` or behind it."""
        self._waiting += [(start, note) for note in notes]

    def place(self, start: int, line: str) -> list[str]:
        """The line that begins at `start`, after the notes that stand before it."""
        indent = line[: len(line) - len(line.lstrip())]
        closes = line.lstrip().startswith("}")
        written: list[str] = []
        while self._waiting and self._waiting[0][0] <= start and not self._moves(line):
            note = self._waiting[0][1]
            if closes and not note.last and line.strip("}; \t") == "":
                break
            written.append(self._written(note, self._indent if closes else indent))
            self._waiting.pop(0)
        self._indent = indent
        return [*written, line]

    def finish(self) -> list[str]:
        """The notes that no line came behind."""
        written = [self._written(note, self._indent) for _, note in self._waiting]
        self._waiting = []
        return written

    def _written(self, note: Note, indent: str) -> str:
        return f"{indent}{self._sign} {note.text}"
