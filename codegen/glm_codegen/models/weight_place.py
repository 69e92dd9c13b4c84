"""Where one tensor of a published checkpoint belongs in the native model."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

WHOLE = (Fraction(0), Fraction(1))


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightPlace:
    """A range of a tensor's rows that becomes (part of) the weight `native`.

    `rows` are fractions of its rows, because fused matrices are split by proportion also where
    each tensor-parallel rank holds only a slice. `parallel_dim`: the dimension along which the
    ranks' slices are joined; None: every rank holds the same.
    """

    native: str
    rows: tuple[Fraction, Fraction] = WHOLE
    transposed: bool = False
    parallel_dim: int | None = None


def equal_parts(count: int) -> list[tuple[Fraction, Fraction]]:
    """The row ranges of `count` matrices of one size, stacked."""
    return [(Fraction(i, count), Fraction(i + 1, count)) for i in range(count)]
