"""Short excerpts of chunks: a prompt's room is small, and a packer takes a piece whole or not.

A long definition is told by its head and the heads of its members; a chunk that is only similar,
by the lines that share most with the code near the cursor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from glm_context.identifiers import IDENTIFIER
from glm_context.indentation import definition_in, indent_of

SHORT = 12  # lines that are given whole
MAX_MEMBERS, MAX_FIELDS = 12, 8
WINDOW = 14  # lines of a similar place
_FIELD = re.compile(r"\s*(?:[\w<>\[\],*&]+ ){0,4}[A-Za-z_$][\w$]*\s{0,3}(?:[:=][^=]|;)")


def compact(text: str, members: Sequence[str] = ()) -> str:
    """A definition whole where it is short, else its beginning; of a container whose members are
    known, its head, its fields and their signatures."""
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not members:
        return "\n".join(lines[:SHORT])
    end = next((i for i, line in enumerate(lines[:6]) if line.rstrip().endswith((":", "{"))), 0)
    body = lines[end + 1 :]
    level = min((indent_of(line) for line in body if line.strip()), default=4)
    fields = [
        line.rstrip()
        for line in body
        if indent_of(line) == level and _FIELD.match(line) and definition_in(line) is None
    ]
    indent = " " * level
    heads = [f"{indent}{member}" for member in members]
    return "\n".join([*lines[: end + 1], *fields[:MAX_FIELDS], *heads[:MAX_MEMBERS]])


def densest(text: str, names: dict[str, float]) -> str:
    """The `WINDOW` lines of a chunk that share most with `names`; the first of equals."""
    lines = text.split("\n")
    if len(lines) <= WINDOW:
        return text
    weights = [
        sum(names.get(name, 0.0) for name in set(IDENTIFIER.findall(line))) for line in lines
    ]
    best, start, total = -1.0, 0, sum(weights[:WINDOW])
    for first in range(len(lines) - WINDOW + 1):
        if first:
            total += weights[first + WINDOW - 1] - weights[first - 1]
        if total > best + 1e-9:
            best, start = total, first
    # What follows the shared lines is worth more than what leads to them.
    while start + WINDOW < len(lines) and weights[start] == 0:
        start += 1
    return "\n".join(lines[start : start + WINDOW])
