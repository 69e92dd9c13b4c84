"""What somebody typed, and when: read from a file, or made of a text with a typist's habits.

A trace is a JSON object: `language`, `path`, the `text` before the first edit, and `edits`, each
with `at` (seconds), `offset` (where in the text), `removed` (letters behind it) and `inserted`.
The caret stands behind what was inserted.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glm_protocol.errors import BadRequest

_TYPO = 0.03  # share of letters that are mistyped, seen, and taken back
_SPREAD = 0.35  # of the time between keys: sigma of its logarithm
_LINE_PAUSE = 4.0  # a thought at the end of a line, in keys


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    at: float
    offset: int
    removed: int
    inserted: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """One document of one editor."""

    path: str
    language: str
    text: str
    edits: tuple[Edit, ...]

    def states(self) -> Iterator[tuple[float, str, str]]:
        """After each edit: when, the text before the caret, the text behind it."""
        text = self.text
        for edit in self.edits:
            end = edit.offset + len(edit.inserted)
            text = text[: edit.offset] + edit.inserted + text[edit.offset + edit.removed :]
            yield edit.at, text[:end], text[end:]


def read_trace(file: Path) -> Trace:
    """Raises BadRequest for a file that is none."""
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        edits = tuple(
            Edit(
                at=float(one["at"]),
                offset=int(one["offset"]),
                removed=int(one["removed"]),
                inserted=str(one["inserted"]),
            )
            for one in raw["edits"]
        )
        text = str(raw["text"])
        trace = Trace(path=str(raw["path"]), language=str(raw["language"]), text=text, edits=edits)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"{file} is no trace of an editor ({error}).") from error
    if list(edits) != sorted(edits, key=lambda edit: edit.at):
        raise BadRequest(f"{file} is no trace of an editor: its times go back.")
    return trace


def typed_trace(text: str, *, number: int, editors: int, letters: int, interval: float) -> Trace:
    """Editor `number` of `editors` types a stretch of `text` of its own, a key every `interval`
    seconds in the mean: unevenly, with typos that are taken back, and pauses at the ends of lines.
    """
    draw = random.Random(number)
    place = len(text) * (number + 1) // (editors + 2)
    begin = text.rfind("\n", 0, place) + 1
    before, rest = text[max(0, begin - 4000) : begin], text[begin : begin + letters]
    edits: list[Edit] = []
    at, offset = number * interval / editors, len(before)
    mean = interval / (1 + (_LINE_PAUSE - 1) * rest.count("\n") / max(1, letters))

    def key(removed: int, inserted: str) -> None:
        nonlocal at
        edits.append(Edit(at=at, offset=offset, removed=removed, inserted=inserted))
        pause = _LINE_PAUSE if inserted == "\n" else 1.0
        at += pause * mean * draw.lognormvariate(-(_SPREAD**2) / 2, _SPREAD)

    for letter in rest:
        if letter.isalpha() and draw.random() < _TYPO:
            key(0, draw.choice("etaoins"))
            key(1, "")
        key(0, letter)
        offset += 1
    behind = text[begin + letters : begin + letters + 1500]
    return Trace(
        path=f"file{number}.py", language="python", text=before + behind, edits=tuple(edits)
    )
