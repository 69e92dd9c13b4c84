"""Median and spread of a series, and how they are printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One measured quantity; all figures in its unit."""

    metric: str
    unit: str
    median: float
    low: float  # 5th percentile
    high: float  # 95th percentile
    rounds: int

    def row(self) -> str:
        """A row of a Markdown table."""
        spread = f"{self.low:.1f} to {self.high:.1f}"
        return f"| {self.metric} | {self.median:.1f} {self.unit} | {spread} | {self.rounds} |"


HEAD = "| what | median | 5 % to 95 % | n |\n|---|---|---|---|"


def summarise(metric: str, unit: str, values: Sequence[float]) -> Series:
    """Raises ValueError for an empty series."""
    if not values:
        raise ValueError(f"no values for {metric}")
    ordered = sorted(values)
    last = len(ordered) - 1
    return Series(
        metric=metric,
        unit=unit,
        median=statistics.median(ordered),
        low=ordered[round(0.05 * last)],
        high=ordered[round(0.95 * last)],
        rounds=len(ordered),
    )
