"""A file cut into the chunks that are searched: definitions where they fit, else windows."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from glm_context.indentation import outline
from glm_context.syntax_facts import Unit

MAX_LINES = 50  # of a chunk
MIN_LINES = 6  # smaller neighbours are joined
MAX_CHARACTERS = 3000
MAX_CHUNKS = 1500  # of a file


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Lines first … last (from 0) of a file."""

    first_line: int
    last_line: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Symbol:
    """A definition's name and where it stands."""

    name: str
    kind: str
    container: str
    line: int
    last_line: int
    signature: str = ""


def snippet_id(path: str, text: str) -> str:
    """Names a piece of text as long as it stays the same."""
    return hashlib.sha256(f"{path}\0{text}".encode("utf-8", "replace")).hexdigest()[:20]


def cut(text: str) -> tuple[list[Chunk], list[Symbol]]:
    """Chunks and symbols of a file's text, secrets taken out already."""
    lines = text.split("\n")
    units = outline(text).units
    spans = list(joined(spans_of(units)))[:MAX_CHUNKS]
    chunks = []
    for first, last in spans:
        piece = "\n".join(lines[first : last + 1])[:MAX_CHARACTERS]
        if piece.strip():
            chunks.append(Chunk(first_line=first, last_line=last, text=piece))
    return chunks, list(symbols_of(units))


def spans_of(units: Iterable[Unit]) -> Iterator[tuple[int, int]]:
    """Line spans of at most `MAX_LINES`, cut where members begin."""
    for unit in units:
        if unit.last_line - unit.first_line < MAX_LINES:
            yield unit.first_line, unit.last_line
            continue
        cuts = [unit.first_line, *(m.first_line for m in unit.members), unit.last_line + 1]
        for first, beyond in itertools.pairwise(cuts):
            for start in range(first, beyond, MAX_LINES):
                yield start, min(start + MAX_LINES, beyond) - 1


def joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Small spans that touch, as one."""
    held: tuple[int, int] | None = None
    for first, last in spans:
        if last < first:
            continue
        small = held is not None and min(last - first, held[1] - held[0]) + 1 < MIN_LINES
        if held is not None and small and last - held[0] < MAX_LINES and first - held[1] <= 3:
            held = (held[0], last)
            continue
        if held is not None:
            yield held
        held = (first, last)
    if held is not None:
        yield held


def symbols_of(units: Iterable[Unit], container: str = "") -> Iterator[Symbol]:
    for unit in units:
        if unit.name:
            yield Symbol(
                name=unit.name,
                kind=unit.kind,
                container=container,
                line=unit.first_line,
                last_line=unit.last_line,
                signature=unit.signature[:160],
            )
        yield from symbols_of(unit.members, unit.name)
