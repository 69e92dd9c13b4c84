"""How far a conversion is: one line that renews itself on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

_BAR = 24
_TERMINAL_S = 0.1  # seconds between renewals
_PLAIN_S = 10.0


class Progress:
    """Counts bytes of `total`; says rate and time left, by the bytes of this run alone."""

    def __init__(
        self, stream: TextIO, *, total: int, done: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._total = total
        self._done = self._done_before = done
        self._clock = clock
        self._began = self._told_at = clock()
        self._on_terminal = stream.isatty()

    def advance(self, count: int) -> None:
        """Count bytes that were written."""
        self._done += count
        now = self._clock()
        if now - self._told_at >= (_TERMINAL_S if self._on_terminal else _PLAIN_S):
            self._told_at = now
            self._tell(now)

    def finish(self) -> None:
        """Say the last state; call it on success only."""
        self._tell(self._clock())
        if self._on_terminal:
            self._stream.write("\n")
            self._stream.flush()

    def _tell(self, now: float) -> None:
        share = self._done / self._total if self._total else 1.0
        filled = int(share * _BAR)
        bar = "#" * filled + "-" * (_BAR - filled)
        elapsed = max(now - self._began, 1e-9)
        rate = (self._done - self._done_before) / elapsed
        left = (self._total - self._done) / rate if rate else 0.0
        line = (
            f"[{bar}] {share:4.0%}  {sized(self._done)} of {sized(self._total)}"
            f"  {sized(int(rate))}/s  {timed(left) + ' left' if left else 'in ' + timed(elapsed)}"
        )
        self._stream.write(f"\r\x1b[K{line}" if self._on_terminal else line + "\n")
        self._stream.flush()


def sized(count: int) -> str:
    """Bytes for people, in decimal units: 1.5 GB."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def timed(seconds: float) -> str:
    """Seconds for people: 9 s, 2 min 05 s, 1 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
