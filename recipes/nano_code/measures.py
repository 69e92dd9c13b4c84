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


def edit_distance(one: str, other: str) -> int:
    """Insertions, deletions and replacements that turn `one` into `other`.

    Bit-parallel (Myers 1999, in Hyyrö's form): one pass over `other` with whole-string integers.
    """
    if not one:
        return len(other)
    places: dict[str, int] = {}
    for index, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << index
    mask, top = (1 << len(one)) - 1, 1 << (len(one) - 1)
    positive, negative, distance = mask, 0, len(one)
    for character in other:
        match = places.get(character, 0)
        horizontal = (((match & positive) + positive) ^ positive) | match | negative
        up = negative | (~(horizontal | positive) & mask)
        down = positive & horizontal
        distance += bool(up & top) - bool(down & top)
        up = (up << 1 | 1) & mask
        down = down << 1 & mask
        positive = down | (~(horizontal | up) & mask)
        negative = up & horizontal
    return distance


def edit_similarity(one: str, other: str) -> float:
    """1 for equal texts, 0 for texts with nothing in common."""
    longest = max(len(one), len(other))
    return 1.0 - edit_distance(one, other) / longest if longest else 1.0


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
