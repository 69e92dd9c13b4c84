"""Means with 95 % bootstrap intervals, of one run and of the difference of two."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

DRAWS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A mean with its percentile interval over `n` holes."""

    value: float
    low: float
    high: float
    n: int


def estimate(values: Sequence[float], *, seed: int = 0) -> Estimate | None:
    """None without values. The same seed draws the same samples."""
    if not values:
        return None
    chance, size = random.Random(seed), len(values)
    means = sorted(sum(chance.choices(values, k=size)) / size for _ in range(DRAWS))
    return Estimate(
        value=round(sum(values) / size, 4),
        low=round(means[int(0.025 * DRAWS)], 4),
        high=round(means[int(0.975 * DRAWS) - 1], 4),
        n=size,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which so large a share lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
