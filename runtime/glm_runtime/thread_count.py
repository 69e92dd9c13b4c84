"""How many threads to compute with, by what the rest of the machine is doing.

OpenMP threads spin while they wait for each other, so one that has lost its core holds up all.
Measured on two cores with one other busy process (8M parameters, 400 tokens of prefill, bfloat16,
medians): two threads 199 ms, one thread 79 ms; on an idle machine two are quicker. So before
each request the cores that others kept busy since the last one are left to them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

_SHORTEST_WINDOW = 0.05  # seconds; over less, the system's clock ticks are too coarse


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuUse:
    """Seconds since some start: of the clock, of all cores' work, of this process's work."""

    elapsed: float
    all_busy: float
    own: float


def read_cpu_use() -> CpuUse:
    """From the system's counters, about 0.1 ms."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted twice
    return CpuUse(
        elapsed=time.monotonic(), all_busy=sum(times) - idle - guest, own=time.process_time()
    )


class ThreadCount:
    """Advises a count of threads; the first advice covers the time since it was made."""

    def __init__(
        self,
        *,
        most: int,
        cores: int | None = None,
        read: Callable[[], CpuUse] = read_cpu_use,
    ) -> None:
        """`most`: threads on an idle machine; `cores`: of the whole machine."""
        self._most = most
        self._cores = os.cpu_count() or 1 if cores is None else cores
        self._read = read
        self._last = read()
        self._advice = most

    def advise(self) -> int:
        """Threads for the next request, between 1 and `most`."""
        now = self._read()
        elapsed = now.elapsed - self._last.elapsed
        if elapsed >= _SHORTEST_WINDOW:
            busy = now.all_busy - self._last.all_busy
            others = max(0.0, busy - (now.own - self._last.own)) / elapsed
            self._advice = max(1, min(self._most, int(self._cores - others + 0.5)))
            self._last = now
        return self._advice
