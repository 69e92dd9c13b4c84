"""How close a completion is to what was really there, and how sure a mean is."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float
    count: int


def first_word(text: str) -> str:
    """The first identifier, number or mark of a text."""
    found = re.search(r"\w+|\S", text)
    return found.group(0) if found else ""


def bootstrap(values: Sequence[float], *, draws: int = 1000, seed: int = 0) -> Mean:
    """Mean and 95 % percentile interval over `draws` samples with replacement."""
    if not values:
        return Mean(value=float("nan"), low=float("nan"), high=float("nan"), count=0)
    chance = random.Random(seed)
    size = len(values)
    means = sorted(sum(chance.choices(values, k=size)) / size for _ in range(draws))
    return Mean(
        value=sum(values) / size,
        low=means[int(0.025 * draws)],
        high=means[int(0.975 * draws) - 1],
        count=size,
    )
