"""Where a model of the native engine computes: the CPU, in which integers. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

CPU = "cpu"
BITS = {"int8": 8, "int4": 4}


@dataclass(frozen=True, kw_only=True, slots=True)
class NativePlacement:
    """`Placement` of a model that torch knows nothing of."""

    dtype_name: str
    kernels: str
    notes: tuple[str, ...] = ()
    kind: str = CPU
