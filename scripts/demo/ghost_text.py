"""Act one: ghost text in a real file of this repository, as an editor asks for it.

The places are fixed; what the model says there is printed as it comes, good or bad.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.editor import Answer, Editor, utf16_length

FILE = "lsp_server/glm_lsp/cli/source_file.py"
AROUND = 3  # lines shown before and after


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A line of the file, found by a text in it, and the words kept before the cursor."""

    line_has: str
    keep: str


PLACES = (
    Place(line_has="found = os.fstat(file.fileno())", keep="found = os.f"),
    Place(line_has="return data.decode(", keep="return data"),
    Place(line_has="cursor = start + column - 1", keep="cursor = "),
)


def dim(text: str) -> str:
    """Ghost text: grey and marked where there is a terminal, marked alone where there is none."""
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        return f"\033[90;3m{text}\033[0m"
    return f"⟦{text}⟧"


def show(lines: list[str], row: int, before: str, ghost: str) -> None:
    """The lines around the cursor with the ghost text in its place."""
    first = max(0, row - AROUND)
    for index in range(first, min(len(lines), row + AROUND + 1)):
        if index != row:
            print(f"  {index + 1:4} │ {lines[index]}")
            continue
        head, *more = ghost.split("\n")
        print(f"▶ {index + 1:4} │ {before}▏{dim(head) if head else ''}")
        for line in more:
            print(f"       │ {dim(line)}")


def ghost_of(answer: Answer, before: str) -> str:
    """What the editor would show after the cursor: the first item's text beyond what is there."""
    result = answer.result or []
    items = result["items"] if isinstance(result, dict) else result
    if not items:
        return ""
    text: str = items[0]["insertText"]
    place = items[0].get("range")
    typed = before[place["start"]["character"] :] if place else ""
    return text.removeprefix(typed)


def play(root: Path) -> None:
    """Ask at each place; then type one character of the last suggestion and ask again."""
    path = root / FILE
    text = path.read_text(encoding="utf-8")
    with Editor(root, os.environ) as editor:
        print(f"language server answered `initialize` after {editor.initialize_ms:.0f} ms")
        began = time.perf_counter()
        editor.open(path, "python", text)  # the first document starts the daemon
        editor.wait_until_ready()
        print(f"daemon started and model loaded in {time.perf_counter() - began:.1f} s more")
        print(f"file: {FILE}\n")
        for number, place in enumerate(PLACES):
            lines = text.split("\n")
            row = next(i for i, line in enumerate(lines) if place.line_has in line)
            before = lines[row][: lines[row].index(place.keep) + len(place.keep)]
            lines[row] = before
            buffer = path.with_name(f"demo_{number}_{path.name}")  # never on disk
            uri = editor.open(buffer, "python", "\n".join(lines))
            column = utf16_length(before)
            answer = editor.inline_completion(uri, row, column, explicit=True)
            ghost = ghost_of(answer, before)
            show(lines, row, before, ghost)
            print(f"  {answer.ms:.0f} ms from request to text" + ("" if ghost else ": no text"))
            if ghost:
                key = ghost[0]
                editor.type(uri, row, column, key)
                again = editor.inline_completion(uri, row, column + 1, explicit=False)
                rest = ghost_of(again, before + key)
                print(f"  then {key!r} typed: {dim(rest)}")
                source = "the first suggestion" if rest == ghost[1:] else "the model"
                print(f"  {again.ms:.1f} ms, answered from {source}")
            print()
