"""Pieces of other files of the same package that share identifiers with a cursor's surroundings.

A cheap stand-in, at training and evaluation time, for what an editor's index gathers: neighbours
in the folder and files whose name is mentioned. It looks at prefix and suffix only, never at the
text that is to be completed.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from glm_protocol.completion import Snippet
from recipes.nano_code.corpus import SourceFile

IDENTIFIER = re.compile(r"[A-Za-z_]\w{2,40}")
CHUNK_LINES = 9
AROUND_CHARS = 1200
MAX_FILES = 10


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A run of lines of one file with its identifiers."""

    text: str
    identifiers: frozenset[str]


@lru_cache(maxsize=6000)
def chunks_of(text: str) -> tuple[Chunk, ...]:
    """`text` in runs of nine lines, blank ends stripped, tiny runs left out."""
    lines = text.split("\n")
    found = []
    for start in range(0, len(lines), CHUNK_LINES):
        piece = "\n".join(lines[start : start + CHUNK_LINES]).strip("\n")
        if 60 <= len(piece) <= 700:
            found.append(Chunk(text=piece + "\n", identifiers=frozenset(IDENTIFIER.findall(piece))))
    return tuple(found)


class Neighbours:
    """The files of a corpus by package and by folder."""

    def __init__(self, files: list[SourceFile]) -> None:
        """Index `files`; keeps references, copies no text."""
        self._folders: dict[tuple[str, str], list[SourceFile]] = {}
        self._stems: dict[tuple[str, str], list[SourceFile]] = {}
        for file in files:
            path = PurePosixPath(file.path)
            self._folders.setdefault((file.package, str(path.parent)), []).append(file)
            self._stems.setdefault((file.package, path.stem), []).append(file)

    def candidates(
        self, file: SourceFile, words: set[str], chance: random.Random
    ) -> list[SourceFile]:
        """At most ten other files: mentioned by name first, then neighbours in the folder."""
        found: dict[str, SourceFile] = {}
        for word in sorted(words):
            for other in self._stems.get((file.package, word), ())[:2]:
                found.setdefault(other.path, other)
        folder = self._folders.get((file.package, str(PurePosixPath(file.path).parent)), [])
        for other in chance.sample(folder, min(len(folder), MAX_FILES)):
            found.setdefault(other.path, other)
        found.pop(file.path, None)
        return list(found.values())[:MAX_FILES]

    def related(
        self, file: SourceFile, prefix: str, suffix: str, count: int, chance: random.Random
    ) -> tuple[Snippet, ...]:
        """The `count` chunks that share the most, and the rarest, identifiers; best first."""
        around = prefix[-AROUND_CHARS:] + " " + suffix[: AROUND_CHARS // 3]
        words = set(IDENTIFIER.findall(around))
        pool = [
            (other, chunk)
            for other in self.candidates(file, words, chance)
            for chunk in chunks_of(other.text)
        ]
        spread = Counter(word for _, chunk in pool for word in chunk.identifiers & words)
        scored = []
        for number, (other, chunk) in enumerate(pool):
            shared = chunk.identifiers & words
            weight = sum(math.log(1 + len(pool) / spread[word]) for word in sorted(shared))
            scored.append((weight / math.sqrt(4 + len(chunk.identifiers)), -number, other, chunk))
        scored.sort(key=lambda entry: entry[:2], reverse=True)
        return tuple(
            Snippet(id=f"related-{rank}", path=other.path, text=chunk.text,
                    source="neighbour", score=score)
            for rank, (score, _, other, chunk) in enumerate(scored[:count])
            if score > 0.0
        )  # fmt: skip
