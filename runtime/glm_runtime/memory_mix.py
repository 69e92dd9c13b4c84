"""Mixes what a memory saw into a model's next-token distribution.

For each length of history, shortest first and the nearer source later (the workspace, the pieces
of it that were gathered for this place, the open file), the counts take a share of the
probability: p <- (1 - w) p + w * counts / total. The share w is looked up in a table by length,
by how often the history was met and by how much its followers agree; the tables were fitted on
held-out code (Jelinek-Mercer with buckets). So long, frequent, unanimous histories decide, and
short or torn ones leave the model its say. Knows tokens, not text.

Legend: V vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glm_runtime.causal_model import Logits, as_array
from glm_runtime.token_memory import LONGEST, Followers

COUNT_BOUNDS = (1, 2, 4, 8, 32)  # largest count of each bucket; one more bucket above
SHARE_BOUNDS = (0.34, 0.67, 0.999)  # share of the most frequent follower
SOURCES = ("workspace", "context", "file")  # in the order of mixing
SHAPE = (len(SOURCES), LONGEST, len(COUNT_BOUNDS) + 1, len(SHARE_BOUNDS) + 1)


def bucket(followers: Followers) -> tuple[int, int]:
    """Places in the table: how often met, how unanimous."""
    total = followers.total
    share = float(followers.counts.max()) / total
    return (
        sum(total > bound for bound in COUNT_BOUNDS),
        sum(share > bound for bound in SHARE_BOUNDS),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryWeights:
    """`table[source][length - 1][count bucket][share bucket]`: shares between 0 and 1."""

    table: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]

    def __post_init__(self) -> None:
        array = np.asarray(self.table, float)
        if array.shape != SHAPE or not ((array >= 0) & (array < 1)).all():
            raise ValueError(f"memory weights must be {SHAPE} shares from 0 to below 1")

    @classmethod
    def from_array(cls, array: Any) -> MemoryWeights:
        rows = np.asarray(array, float).round(4).tolist()
        return cls(table=tuple(tuple(tuple(tuple(c) for c in b) for b in a) for a in rows))

    @classmethod
    def read(cls, path: Path) -> MemoryWeights:
        """Raises ValueError or OSError where the file is not such a table."""
        wire = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(wire, dict) or "table" not in wire:
            raise ValueError(f"{path} holds no memory weights")
        return cls.from_array(wire["table"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What one source says at one length: the share it takes, and its distribution."""

    weight: float
    tokens: np.ndarray
    probability: np.ndarray


def gather(weights: MemoryWeights, seen_by: Sequence[Sequence[Followers | None]]) -> list[Evidence]:
    """Evidence in the order of mixing; what was never met says nothing.

    `seen_by`: for each of `SOURCES` what followed by length of history.
    """
    found = []
    known: dict[int, tuple[int, int, NDArray[np.float64]]] = {}  # longer histories repeat shorter
    for length in range(LONGEST):
        for source, seen in enumerate(seen_by):
            followers = seen[length] if length < len(seen) else None
            if followers is None or not len(followers.tokens):
                continue
            if id(followers) not in known:
                known[id(followers)] = (*bucket(followers), followers.counts / followers.total)
            count, share, probability = known[id(followers)]
            weight = weights.table[source][length][count][share]
            if weight > 0:
                found.append(
                    Evidence(
                        weight=weight,
                        tokens=followers.tokens,
                        probability=probability,
                    )
                )
    return found


def mix(probability_V: Logits, evidence: Sequence[Evidence]) -> NDArray[np.float32]:
    """A new distribution; `probability_V` stays as it is."""
    mixed_V = as_array(probability_V).copy()
    for part in evidence:
        mixed_V *= np.float32(1.0 - part.weight)
        np.add.at(mixed_V, part.tokens, (part.weight * part.probability).astype(np.float32))
    return mixed_V
