"""Places that read like the lines before the cursor, and what follows them there.

The candidates are chunks that share rare identifiers (BM25). Compared are the words of the last
lines before the cursor with those of each stretch of as many lines (Jaccard index, as in
RepoCoder, Zhang et al. 2023). Given is the stretch together with what comes after it: that is what
comes next here too, if anything does. Few prompts have room for it; a memory reads all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glm_context.index_store import Hit, IndexStore

LINES = 12  # before the cursor, and of a stretch that is compared with them
STEP = 4
FOLLOWING = 20  # lines after the stretch
MOST = 16  # places given
_WORD = re.compile(r"\w{2,}")


@dataclass(frozen=True, kw_only=True, slots=True)
class SimilarPlace:
    """`likeness` from 0 to 1."""

    path: str
    language: str
    text: str
    likeness: float


def similar_places(hits: Sequence[Hit], before: str, index: IndexStore) -> list[SimilarPlace]:
    """The most similar places, best first, at most one of a chunk."""
    wanted = frozenset(_WORD.findall("\n".join(before.rsplit("\n", LINES)[-LINES:])))
    best = sorted(
        ((*best_start(hit.text, wanted), number) for number, hit in enumerate(hits)),
        key=lambda one: (-one[0], one[2]),
    )
    return [
        SimilarPlace(
            path=hits[number].path,
            language=hits[number].language,
            text="\n".join(from_line(hits[number], start, index)),
            likeness=likeness,
        )
        for likeness, start, number in best[:MOST]
        if likeness > 0
    ]


def best_start(text: str, wanted: frozenset[str]) -> tuple[float, int]:
    """Likeness and first line of the stretch that is most like the wanted words."""
    lines = [set(_WORD.findall(line)) for line in text.split("\n")]
    return max(
        ((likeness(wanted, lines[at : at + LINES]), at) for at in range(0, len(lines), STEP)),
        key=lambda one: one[0],
    )


def likeness(wanted: frozenset[str], lines: Sequence[set[str]]) -> float:
    """Jaccard index of two sets of words, the second told line by line."""
    found = set().union(*lines)
    return len(wanted & found) / max(len(wanted | found), 1)


def from_line(hit: Hit, start: int, index: IndexStore) -> Iterator[str]:
    """A stretch of a chunk and the lines after it, out of the next chunk too."""
    left = LINES + FOLLOWING
    lines = hit.text.split("\n")[start : start + left]
    yield from lines
    if left > len(lines):
        yield from index.text_after(hit.path, hit.last_line).split("\n")[: left - len(lines)]
