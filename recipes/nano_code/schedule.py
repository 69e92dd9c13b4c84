"""Learning rate over time: warm-up, a plateau, and a last stretch down to almost nothing.

Counted in seconds of training, because on shared cores time is what is known beforehand. The
end may be moved while training runs (see `Horizon`): the plateau has no memory of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

WARM_UP_STEPS = 60
DECAY_SHARE = 0.4
FLOOR = 0.02


def rate_factor(
    *, step: int, elapsed_s: float, total_s: float, decay_share: float = DECAY_SHARE
) -> float:
    """Share of the full learning rate, between `FLOOR` and 1."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    left = max(0.0, total_s - elapsed_s) / max(total_s * decay_share, 1e-9)
    return warm * max(FLOOR, min(1.0, left))


@dataclass(frozen=True, kw_only=True)
class Horizon:
    """How many minutes to train: a file that may be rewritten while training runs."""

    path: Path

    def set(self, minutes: float) -> None:
        """Write the total, counted from the start of the run, resumes not counted."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(f"{minutes}\n", encoding="utf-8")

    def seconds(self) -> float:
        """The total in seconds."""
        return 60.0 * float(self.path.read_text(encoding="utf-8"))
