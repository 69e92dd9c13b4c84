"""Places in a file where a completion could be asked for, and what was really there.

Cut where an editor asks: at the start of a word, after punctuation, at the start of a line; to
the end of a line, over a body, over a call's arguments. Training draws them by chance; the
receipt asks for those whose lines are all new. Cuts by lines and indentation fit files of any
language; where there is a grammar, its pieces are cut as well (`syntax_hole`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glm_context import syntax_facts
from glm_protocol.completion import CompletionMode

WORD_START = re.compile(r"(?<!\w)\w|(?<=[^\w\s])(?=\S)")
CLOSERS = re.compile(r"[)\]}'\"`;:,]{1,4}\s*$")
OPENER = re.compile(r"[:{(\[]\s*$|=>\s*$|->\s*$")
ARGUMENTS = re.compile(r"\w\(([^()\n]{4,120})\)")
MAX_BODY_LINES, MAX_LINE, MAX_MIDDLE = 12, 200, 900
KINDS = {"line": 0.4, "body": 0.3, "arguments": 0.15, "span": 0.15}


@dataclass(frozen=True, kw_only=True, slots=True)
class Hole:
    """One cut file: `prefix + middle + suffix` is the file. `lines`: those of the middle."""

    kind: str
    prefix: str
    middle: str
    suffix: str
    mode: CompletionMode
    lines: range


@dataclass(frozen=True, kw_only=True, slots=True)
class Lines:
    """The lines of a text with the offset at which each starts."""

    text: str
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Lines:
        """Split `text`, which ends with a newline."""
        starts, at = [], 0
        while at < len(text):
            starts.append(at)
            at = text.find("\n", at) + 1 or len(text)
        return cls(text=text, starts=tuple(starts))

    def end(self, number: int) -> int:
        """Offset of the newline that ends line `number` (or of the end of the text)."""
        if number + 1 < len(self.starts):
            return self.starts[number + 1] - 1
        return len(self.text) - self.text.endswith("\n")

    def line(self, number: int) -> str:
        """Line `number` without its newline."""
        return self.text[self.starts[number] : self.end(number)]

    def indent(self, number: int) -> int | None:
        """Width of the indentation, a tab counting as four; None for a blank line."""
        line = self.line(number).expandtabs(4)
        return len(line) - len(line.lstrip()) if line.strip() else None

    def hole(self, kind: str, mode: CompletionMode, start: int, end: int, lines: range) -> Hole:
        return Hole(
            kind=kind,
            prefix=self.text[:start],
            middle=self.text[start:end],
            suffix=self.text[end:],
            mode=mode,
            lines=lines,
        )


Cut = Callable[[Lines, int, random.Random], Hole | None]


def line_hole(lines: Lines, number: int, chance: random.Random) -> Hole | None:
    """To the end of line `number`; one in four leaves the closing brackets after the cursor."""
    line = lines.line(number)
    if len(line.strip()) < 4 or len(line) > MAX_LINE:
        return None
    first = len(line) - len(line.lstrip())
    cuts = [match.start() for match in WORD_START.finditer(line) if match.start() > first]
    cut = first if not cuts or chance.random() < 0.25 else chance.choice(cuts)
    end = len(line)
    closers = CLOSERS.search(line, cut + 1)
    if closers and chance.random() < 0.25:
        end = closers.start()
    if not line[cut:end].strip():
        return None
    start = lines.starts[number]
    return lines.hole(
        "line", CompletionMode.LINE, start + cut, start + end, range(number, number + 1)
    )


def arguments_hole(lines: Lines, number: int, chance: random.Random) -> Hole | None:
    """What stands between the brackets of one call of line `number`."""
    line = lines.line(number)
    found = list(ARGUMENTS.finditer(line)) if len(line) <= MAX_LINE else []
    if not found:
        return None
    start, chosen = lines.starts[number], chance.choice(found)
    return lines.hole(
        "arguments",
        CompletionMode.LINE,
        start + chosen.start(1),
        start + chosen.end(1),
        range(number, number + 1),
    )


def body_hole(lines: Lines, number: int, chance: random.Random) -> Hole | None:
    """The indented block that line `number` opens; else two to five lines from it on."""
    if number + 1 >= len(lines.starts):
        return None
    if OPENER.search(lines.line(number)):
        last = body_end(lines, number)
        if last == number:
            return None
        first = number + 1
        while lines.indent(first) is None:
            first += 1
    else:
        first, last = number, min(number + chance.randint(1, 4), len(lines.starts) - 1)
    line = lines.line(first)
    start = lines.starts[first] + len(line) - len(line.lstrip())
    hole = lines.hole("body", CompletionMode.BLOCK, start, lines.end(last), range(first, last + 1))
    return hole if len(hole.middle.strip()) >= 8 and len(hole.middle) <= MAX_MIDDLE else None


def span_hole(lines: Lines, number: int, chance: random.Random) -> Hole | None:
    """From anywhere in line `number` over at most 200 characters: how people really stop."""
    start = chance.randrange(lines.starts[number], lines.end(number) + 1)
    end = min(start + chance.randint(8, 200), lines.end(len(lines.starts) - 1))
    middle = lines.text[start:end]
    if len(middle.strip()) < 4:
        return None
    mode = CompletionMode.BLOCK if "\n" in middle.strip() else CompletionMode.LINE
    if mode is CompletionMode.LINE:  # the answer of a line ends with the line
        end = min(end, lines.end(number))
    last = number + lines.text.count("\n", start, end)
    if not lines.text[start:end].strip():
        return None
    return lines.hole("span", mode, start, end, range(number, last + 1))


CUTS: dict[str, Cut] = {
    "line": line_hole,
    "body": body_hole,
    "arguments": arguments_hole,
    "span": span_hole,
}


def draw_hole(lines: Lines, chance: random.Random) -> Hole | None:
    """A hole of a kind drawn by its share; None for a file where a dozen draws were no use."""
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    for _ in range(12):
        hole = CUTS[kind](lines, chance.randrange(len(lines.starts)), chance)
        if hole is not None:
            return hole
    return None


def syntax_hole(
    lines: Lines, cuts: Sequence[syntax_facts.Hole], chance: random.Random
) -> Hole | None:
    """One of the grammar's pieces, each kind as often as the others; None where there is none."""
    if not cuts:
        return None
    kind = chance.choice(sorted({cut.kind for cut in cuts}))
    for _ in range(12):
        cut = chance.choice([cut for cut in cuts if cut.kind == kind])
        middle = lines.text[cut.start : cut.end]
        if len(middle.strip()) >= 3 and len(middle) <= MAX_MIDDLE:
            first = lines.text.count("\n", 0, cut.start)
            mode = CompletionMode.BLOCK if "\n" in middle.strip() else CompletionMode.LINE
            last = first + middle.count("\n")
            return lines.hole(f"syntax_{kind}", mode, cut.start, cut.end, range(first, last + 1))
    return None


def body_end(lines: Lines, opener: int) -> int:
    """Last line of the block that `opener` begins; `opener` itself when there is none."""
    outer, last = lines.indent(opener), opener
    for number in range(opener + 1, min(opener + 1 + MAX_BODY_LINES, len(lines.starts))):
        indent = lines.indent(number)
        if indent is None:
            continue
        if outer is None or indent <= outer:
            return last
        last = number
    return last
