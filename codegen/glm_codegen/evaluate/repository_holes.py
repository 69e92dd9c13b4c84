"""Places of a repository at which a completion is asked for, and what is true there.

Holes are cut by tree-sitter in files that parse: the rest of a line, a run of statements, a
function's body, a call's arguments. Quiet spots are places in finished code where nothing is
missing: inside a word, before code that stands there, at the end of a finished line. The same
seed draws the same places of the same files.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glm_context.grammar_table import GRAMMAR_OF
from glm_context.secret_rules import redact
from glm_context.syntax import Syntax
from glm_context.workspace_files import WorkspaceFiles
from glm_protocol.completion import CompletionMode

KINDS = ("line", "multi_line", "block_body", "arguments")
QUIET = "quiet"
LONGEST = 600  # characters of a truth
SHORTEST = 3
A_FILE = 12  # places of one kind in one file
_FINISHED = re.compile(r"[\w\])\"']$|;$")
_SKIPPED = re.compile(r"(^|/)(tests?|vendor|third_party|_vendor|testdata|fixtures)/")


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceText:
    """A file of the repository that parses."""

    path: str
    language: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One question: `truth` is what stood between `start` and `end`, "" at a quiet spot."""

    kind: str
    source: SourceText
    start: int
    end: int

    @property
    def truth(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def id(self) -> str:
        """Names the place across runs."""
        said = f"{self.source.path}:{self.kind}:{self.start}:{self.end}"
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def line(self) -> int:
        """Counted from 1."""
        return self.source.text.count("\n", 0, self.start) + 1

    @property
    def mode(self) -> CompletionMode:
        """What an editor's user would ask for there."""
        long = self.kind in ("multi_line", "block_body")
        return CompletionMode.BLOCK if long else CompletionMode.LINE


def workspace_texts(root: Path) -> Iterator[tuple[str, str]]:
    """Every file that may be read, path and text, secrets taken out: what a memory may learn."""
    files = WorkspaceFiles(root)
    for found in files.walk():
        text = files.read(found.path)
        if text:
            yield found.path, redact(text, found.language)[0]


def parsed_sources(root: Path, syntax: Syntax, most: int, seed: int) -> list[SourceText]:
    """Files with a grammar that parse without a problem, tests left out, drawn by chance."""
    files = WorkspaceFiles(root)
    found = [f for f in files.walk() if f.language in GRAMMAR_OF and not _SKIPPED.search(f.path)]
    random.Random(seed).shuffle(found)
    kept: list[SourceText] = []
    for each in found:
        if len(kept) == most:
            break
        text = files.read(each.path)
        if text and text.isprintable() is False and syntax.problems(text, each.language) == ():
            kept.append(SourceText(path=each.path, language=each.language, text=text))
    return kept


def draw_places(
    sources: Sequence[SourceText], syntax: Syntax, *, holes: int, quiet: int, seed: int
) -> list[Place]:
    """`holes` holes, shared evenly among the kinds as far as there are, and `quiet` spots."""
    chance = random.Random(seed)
    pools: dict[str, list[Place]] = {kind: [] for kind in (*KINDS, QUIET)}
    for source in sources:
        for kind, places in _places_of(source, syntax).items():
            pools[kind] += chance.sample(places, min(len(places), A_FILE))
    for pool in pools.values():
        chance.shuffle(pool)
    drawn: list[Place] = []
    while len(drawn) < holes and any(pools[kind] for kind in KINDS):
        for kind in KINDS:
            if pools[kind] and len(drawn) < holes:
                drawn.append(pools[kind].pop())
    return drawn + pools[QUIET][:quiet]


def _places_of(source: SourceText, syntax: Syntax) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {kind: [] for kind in (*KINDS, QUIET)}
    line_ends = []
    for hole in syntax.holes(source.text, source.language):
        truth = source.text[hole.start : hole.end]
        if hole.kind == "line":
            line_ends.append(hole.end)
        if len(truth.strip()) >= SHORTEST and len(truth) <= LONGEST and hole.kind in found:
            found[hole.kind].append(
                Place(kind=hole.kind, source=source, start=hole.start, end=hole.end)
            )
    found[QUIET] = [
        Place(kind=QUIET, source=source, start=at, end=at)
        for at in quiet_spots(source.text, line_ends)
    ]
    return found


def quiet_spots(text: str, line_ends: Sequence[int]) -> list[int]:
    """Offsets in finished code where nothing is missing, of three sorts in equal parts."""
    inside = [m.start() + 2 for m in re.finditer(r"\b[A-Za-z_]\w{4,}", text)]
    before = [m.end() for m in re.finditer(r"\n[ \t]*(?=[A-Za-z_])", text)]
    after = [
        end
        for end in line_ends
        if text[end : end + 1] == "\n" and _FINISHED.search(text[max(0, end - 1) : end])
    ]
    chance = random.Random(len(text))
    count = min(len(inside), len(before), len(after), A_FILE // 3)
    return [at for sort in (inside, before, after) for at in sorted(chance.sample(sort, count))]
