"""Act one: ghost text in a real file of this repository, as an editor asks for it.

Nothing is picked by hand: places are drawn by a seed and the first is shown as it comes. Then the
model is asked at all of them, and it is said how many it got right; two of those are shown.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from bench.editor import Answer, Editor, utf16_length
from bench.spots import Spot, draw, judge

UNITS = ("protocol", "client", "context", "runtime", "codegen", "daemon", "lsp_server")
DRAWN, SEED = 20, 20261124
LEAST_BYTES = 1000  # of a file; empty ones have no place
RIGHT_SHOWN = 2
GOOD = ("exact", "acceptable")
AROUND = 3  # lines shown before and after


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A drawn place, and what came there."""

    spot: Spot
    uri: str
    lines: list[str]  # of the buffer, the line at the cursor cut there
    ghost: str
    ms: float
    verdict: str  # of `bench.spots.judge`

    @property
    def row(self) -> int:
        return self.spot.line - 1

    @property
    def before(self) -> str:
        return self.lines[self.row]


def dim(text: str) -> str:
    """Ghost text: grey and marked where there is a terminal, marked alone where there is none."""
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        return f"\033[90;3m{text}\033[0m"
    return f"⟦{text}⟧"


def show(asked: Asked) -> None:
    """The lines around the cursor with the ghost text in its place."""
    lines, row = asked.lines, asked.row
    for index in range(max(0, row - AROUND), min(len(lines), row + AROUND + 1)):
        if index != row:
            print(f"  {index + 1:4} │ {lines[index]}".rstrip())
            continue
        head, *more = asked.ghost.split("\n")
        print(f"▶ {index + 1:4} │ {asked.before}▏{dim(head)}")
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


def ask(editor: Editor, root: Path, spot: Spot) -> Asked:
    """Open the file with the rest of the spot's line gone, and ask at its end."""
    lines = (spot.prefix + spot.suffix).split("\n")
    before = lines[spot.line - 1]
    uri = editor.open(root / spot.path, "python", "\n".join(lines))
    answer = editor.inline_completion(uri, spot.line - 1, utf16_length(before), explicit=True)
    ghost = ghost_of(answer, before)
    verdict = judge(spot, ghost)
    return Asked(spot=spot, uri=uri, lines=lines, ghost=ghost, ms=answer.ms, verdict=verdict)


def type_along(editor: Editor, asked: Asked) -> None:
    """Type the first character of the suggestion and ask again."""
    column = utf16_length(asked.before)
    key = asked.ghost[0]
    editor.type(asked.uri, asked.row, column, key)
    again = editor.inline_completion(asked.uri, asked.row, column + 1, explicit=False)
    rest = ghost_of(again, asked.before + key)
    source = "the first suggestion" if rest == asked.ghost[1:] else "the model"
    print(f"  then {key!r} typed: {again.ms:.1f} ms, answered from {source}")


def places(root: Path) -> list[Spot]:
    """One place in each of some files, drawn by the seed; a new file elsewhere changes none."""

    def rank(path: Path) -> bytes:
        return sha256(f"{SEED} {path.relative_to(root)}".encode()).digest()

    files = [path for unit in UNITS for path in (root / unit).rglob("*.py")]
    chosen = sorted((path for path in files if path.stat().st_size > LEAST_BYTES), key=rank)
    return [spot for path in chosen[:DRAWN] for spot in draw([path], root, count=1, seed=SEED)]


def tell(editor: Editor, asked: Asked) -> None:
    """One place: what came, how soon, what stands there, and a key typed along."""
    print(f"  {asked.spot.path}")
    show(asked)
    said = "from request to text" if asked.ghost else "and no text"
    print(f"  {asked.ms:.0f} ms {said}; the file has: {asked.spot.answer}")
    if asked.ghost:
        type_along(editor, asked)
    print()


def play(root: Path) -> None:
    """Ask at the first place and show it, then at all of them."""
    spots = places(root)
    with Editor(root, os.environ) as editor:
        print(f"language server answered `initialize` after {editor.initialize_ms:.0f} ms")
        began = time.perf_counter()
        opening = spots[0]
        editor.open(root / opening.path, "python", opening.prefix + opening.suffix)
        editor.wait_until_ready()  # the first document starts the daemon
        print(f"daemon started and model loaded in {time.perf_counter() - began:.1f} s more")
        print(
            f"\nA line's rest is taken away in {len(spots)} files of this repository, files and"
            f" places drawn by seed {SEED}. The first:\n"
        )
        first = ask(editor, root, opening)
        tell(editor, first)
        every = [first, *(ask(editor, root, spot) for spot in spots[1:])]
        right = sum(one.verdict in GOOD for one in every)
        silent = sum(not one.ghost for one in every)
        print(
            f"Of the {len(every)}, {right} were right or acceptable, and {silent} times nothing"
            " came. The first that were right:\n"
        )
        for one in [one for one in every[1:] if one.verdict in GOOD][:RIGHT_SHOWN]:
            tell(editor, one)
