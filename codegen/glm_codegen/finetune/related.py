"""Pieces of other files of a repository that share identifiers with a cursor's surroundings.

Looks at prefix and suffix only, never at the text that is to be completed. Training and receipt
gather with the same function, so that a model is asked in the way it was taught.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from glm_codegen.finetune.file_filter import SourceFile
from glm_protocol.completion import Snippet

IDENTIFIER = re.compile(r"[A-Za-z_]\w{2,40}")
CHUNK_LINES = 9
AROUND_CHARACTERS = 1200
MOST_CHUNKS = 400  # scored for one cursor: those that share its rarest words


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A run of lines of one file with its identifiers."""

    path: str
    text: str
    identifiers: frozenset[str]


class RelatedText:
    """An index from identifiers to the chunks of some files that hold them."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self._chunks = [chunk for file in files for chunk in _chunks(file)]
        self._places: dict[str, list[int]] = {}
        for number, chunk in enumerate(self._chunks):
            for word in chunk.identifiers:
                self._places.setdefault(word, []).append(number)

    def related(self, path: str, prefix: str, suffix: str, count: int) -> tuple[Snippet, ...]:
        """The chunks of other files that share the most, and the rarest, words; best first."""
        around = prefix[-AROUND_CHARACTERS:] + " " + suffix[: AROUND_CHARACTERS // 3]
        words = sorted(
            (word for word in set(IDENTIFIER.findall(around)) if word in self._places),
            key=lambda word: (len(self._places[word]), word),
        )
        scores: Counter[int] = Counter()
        for word in words:
            if len(scores) > MOST_CHUNKS:
                break
            weight = math.log(1 + len(self._chunks) / len(self._places[word]))
            for number in self._places[word][:MOST_CHUNKS]:
                scores[number] += int(1000 * weight)
        ranked = sorted(
            (
                (-score / math.sqrt(4 + len(self._chunks[number].identifiers)),
                 self._near(path, number), number)
                for number, score in scores.items()
                if self._chunks[number].path != path
            )
        )  # fmt: skip
        return tuple(
            _snippet(self._chunks[number], -score / 1000) for score, _, number in ranked[:count]
        )

    def _near(self, path: str, number: int) -> int:
        """0 in the same folder, else 1: decides between equals."""
        return int(PurePosixPath(self._chunks[number].path).parent != PurePosixPath(path).parent)


def _snippet(chunk: Chunk, score: float) -> Snippet:
    mark = hashlib.sha256(f"{chunk.path}\n{chunk.text}".encode()).hexdigest()[:16]
    return Snippet(
        id=f"related-{mark}", path=chunk.path, text=chunk.text, source="neighbour", score=score
    )


def _chunks(file: SourceFile) -> Sequence[Chunk]:
    """A file in runs of nine lines, blank ends stripped, tiny and huge runs left out."""
    lines, found = file.text.split("\n"), []
    for start in range(0, len(lines), CHUNK_LINES):
        piece = "\n".join(lines[start : start + CHUNK_LINES]).strip("\n")
        if 60 <= len(piece) <= 900:
            words = frozenset(IDENTIFIER.findall(piece))
            found.append(Chunk(path=file.path, text=piece + "\n", identifiers=words))
    return found
