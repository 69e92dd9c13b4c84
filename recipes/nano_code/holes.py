"""Places in a file where a completion could be asked for, and what was really there.

A hole is cut where an editor asks: at the start of a word, after punctuation, at the start of a
line. Training and evaluation cut holes with the same functions; nothing here knows tokens.
Lines and blocks of a text are read by `glm_codegen.finetune.holes`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from glm_codegen.finetune.holes import CLOSERS, OPENER, WORD_START, Lines, body_end
from glm_protocol.completion import CompletionMode


@dataclass(frozen=True, kw_only=True)
class Hole:
    """One cut file: `prefix + middle + suffix` is the file."""

    prefix: str
    middle: str
    suffix: str
    mode: CompletionMode


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
