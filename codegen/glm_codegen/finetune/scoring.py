"""How close answers are to the truth, and how sure a difference between two ways of asking is.

Differences are paired (the same question asked both ways) and their intervals come of a cluster
bootstrap: files are drawn, not questions, since questions of one file are not independent.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glm_codegen.evaluate.text_measures import edit_similarity

IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
DRAWS = 2000
MEASURES = ("exact", "edit_similarity", "identifier_f1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Each from 0 to 1. `cluster` is the file."""

    cluster: str
    exact: float
    edit_similarity: float
    identifier_f1: float


def score(cluster: str, answer: str, truth: str) -> Score:
    """White space at the ends and runs of it do not count."""
    one, other = " ".join(answer.split()), " ".join(truth.split())
    return Score(
        cluster=cluster,
        exact=float(one == other),
        edit_similarity=edit_similarity(one, other),
        identifier_f1=identifier_f1(one, other),
    )


def identifier_f1(one: str, other: str) -> float:
    """Harmonic mean of precision and recall over identifiers with their counts."""
    left, right = Counter(IDENTIFIER.findall(one)), Counter(IDENTIFIER.findall(other))
    if not left and not right:
        return 1.0
    shared = sum((left & right).values())
    return 2 * shared / (sum(left.values()) + sum(right.values()))


def means(scores: Sequence[Score]) -> dict[str, Any]:
    """Mean of each measure with its 95 % interval."""
    return {
        name: _interval([(one.cluster, getattr(one, name)) for one in scores]) for name in MEASURES
    }


def differences(before: Sequence[Score], after: Sequence[Score]) -> dict[str, Any]:
    """Paired: mean of `after - before` for each measure with its 95 % interval."""
    assert [one.cluster for one in before] == [one.cluster for one in after]
    return {
        name: _interval(
            [
                (one.cluster, getattr(other, name) - getattr(one, name))
                for one, other in zip(before, after, strict=True)
            ]
        )
        for name in MEASURES
    }


def _interval(values: Sequence[tuple[str, float]], *, seed: int = 0) -> Mapping[str, Any]:
    """Mean, and the 2.5th and 97.5th percentile of means over drawn files; None without values."""
    if not values:
        return {"value": None, "low": None, "high": None, "count": 0}
    clusters: dict[str, list[float]] = defaultdict(list)
    for cluster, value in values:
        clusters[cluster].append(value)
    sums = [(sum(group), len(group)) for _, group in sorted(clusters.items())]
    chance, drawn = random.Random(seed), list[float]()
    for _ in range(DRAWS):
        chosen = chance.choices(sums, k=len(sums))
        drawn.append(sum(total for total, _ in chosen) / sum(count for _, count in chosen))
    drawn.sort()
    mean = sum(value for _, value in values) / len(values)
    return {
        "value": round(mean, 4),
        "low": round(drawn[int(0.025 * DRAWS)], 4),
        "high": round(drawn[int(0.975 * DRAWS) - 1], 4),
        "count": len(values),
    }
