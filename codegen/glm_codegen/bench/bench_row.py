"""One figure of a benchmark, as it is printed and written. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchRow:
    """`median`, `low` and `high` over `rounds`; all None where `note` says why nothing was
    measured."""

    engine: str
    shape: str
    metric: str
    median: float | None
    low: float | None = None
    high: float | None = None
    rounds: int = 0
    note: str = ""

    def to_wire(self) -> dict[str, Any]:
        return asdict(self)


def row(engine: str, shape: str, metric: str, values: Sequence[float]) -> BenchRow:
    """Summary of one value a round."""
    return BenchRow(
        engine=engine,
        shape=shape,
        metric=metric,
        median=statistics.median(values),
        low=min(values),
        high=max(values),
        rounds=len(values),
    )


def ratios(ours: str, theirs: str, shape: str, metric: str, pairs: Sequence[float]) -> BenchRow:
    """Ratios of ours to theirs, each inside one round."""
    return row(f"{ours} / {theirs}", shape, f"{metric} ratio", pairs)


def table(rows: Sequence[BenchRow]) -> str:
    """Lines for a terminal."""
    lines = [f"{'engine':<26} {'shape':<10} {'metric':<34} {'median':>10} {'low':>10} {'high':>10}"]
    for one in rows:
        if one.median is None:
            lines.append(f"{one.engine:<26} {one.shape:<10} {one.note}")
            continue
        figures = " ".join(
            f"{value:>10.3f}" if abs(value) < 10 else f"{value:>10.0f}"
            for value in (one.median, one.low or 0.0, one.high or 0.0)
        )
        lines.append(f"{one.engine:<26} {one.shape:<10} {one.metric:<34} {figures}  {one.note}")
    return "\n".join(lines)
