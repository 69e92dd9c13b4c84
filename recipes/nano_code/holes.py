"""Places in a file where a completion could be asked for, and what was really there.

A hole is cut where an editor asks: at the start of a word, after punctuation, at the start of a
line. Training and evaluation cut holes with the same functions; nothing here knows tokens.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from glm_protocol.completion import CompletionMode

WORD_START = re.compile(r"(?<![\w])\w|(?<=[^\w\s])(?=\S)")
CLOSERS = re.compile(r"[)\]}'\"`;:,]{1,4}\s*$")
OPENER = re.compile(r"[:{(\[]\s*$|=>\s*$|->\s*$")
MAX_BLOCK_LINES = 12


@dataclass(frozen=True, kw_only=True)
class Hole:
    """One cut file: `prefix + middle + suffix` is the file."""

    prefix: str
    middle: str
    suffix: str
    mode: CompletionMode


@dataclass(frozen=True, kw_only=True)
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
        following = number + 1
        if following < len(self.starts):
            return self.starts[following] - 1
        return len(self.text) - self.text.endswith("\n")

    def line(self, number: int) -> str:
        """Line `number` without its newline."""
        return self.text[self.starts[number] : self.end(number)]

    def indent(self, number: int) -> int | None:
        """Width of the indentation, a tab counting as four; None for a blank line."""
        line = self.line(number).expandtabs(4)
        return len(line) - len(line.lstrip()) if line.strip() else None


def line_hole(text: str, chance: random.Random) -> Hole | None:
    """A hole to the end of one line; None when the drawn line is not worth asking for.

    One hole in four leaves closing brackets and quotes after the cursor, where an editor has
    put them already.
    """
    lines = Lines.of(text)
    number = chance.randrange(len(lines.starts))
    line = lines.line(number)
    if len(line.strip()) < 4 or len(line) > 200:
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
    return Hole(
        prefix=text[: start + cut],
        middle=text[start + cut : start + end],
        suffix=text[start + end :],
        mode=CompletionMode.LINE,
    )


def body_end(lines: Lines, opener: int) -> int:
    """Last line of the block that `opener` begins; `opener` itself when there is none."""
    outer = lines.indent(opener)
    last = opener
    for number in range(opener + 1, min(opener + 1 + MAX_BLOCK_LINES, len(lines.starts))):
        indent = lines.indent(number)
        if indent is None:
            continue
        if outer is None or indent <= outer:
            return last
        last = number
    return last


def block_hole(text: str, chance: random.Random) -> Hole | None:
    """A hole over an indented body, or over two to five lines; None when the draw is no use."""
    lines = Lines.of(text)
    count = len(lines.starts)
    if count < 6:
        return None
    number = chance.randrange(count - 2)
    line = lines.line(number)
    if OPENER.search(line) and chance.random() < 0.8:
        last = body_end(lines, number)
        if last == number:
            return None
        first = number + 1
        while lines.indent(first) is None:
            first += 1
        start = lines.starts[first] + len(lines.line(first)) - len(lines.line(first).lstrip())
    else:
        last = min(number + chance.randint(1, 4), count - 1)
        begin = lines.starts[number]
        cuts = [match.start() for match in WORD_START.finditer(line)] or [0]
        indent = len(line) - len(line.lstrip())
        start = begin + (chance.choice(cuts) if chance.random() < 0.4 else indent)
    middle = text[start : lines.end(last)]
    if len(middle.strip()) < 8 or len(middle) > 900:
        return None
    return Hole(
        prefix=text[:start],
        middle=middle,
        suffix=text[lines.end(last) :],
        mode=CompletionMode.BLOCK,
    )
