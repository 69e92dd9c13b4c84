"""Where a run stands, and its checkpoints: one safetensors file each, whole or not there.

The two newest are kept. The file's metadata holds the numbers as JSON, its tensors the matrices,
the optimiser's averages, and the best matrices so far: a resumed run needs nothing else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from glm_codegen.finetune.run_files import read_tensors, sweep, write_tensors
from glm_protocol.errors import ModelUnusable

KEPT = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Held-out quality at one step. `score` decides: the geometric mean of the likelihood of
    true answers' tokens (0 to 1); `exact` is the share of answers that greedy decoding gets
    right whole; `loss` is in nats a token of the answers."""

    score: float
    exact: float
    loss: float
    step: int = 0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Best:
    """The best look so far and the matrices that it was taken of."""

    look: Look
    matrices: dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainState:
    """After `step` steps."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0  # over all resumes
    losses: tuple[float, ...] = ()
    looks: tuple[Look, ...] = ()
    best: Best | None = field(default=None, repr=False)

    def exhausted(self, patience: int) -> bool:
        """Whether the last `patience` looks brought nothing better."""
        if self.best is None:
            return False
        return sum(look.step > self.best.look.step for look in self.looks) >= patience


def save_state(folder: Path, state: TrainState, tensors: dict[str, torch.Tensor]) -> None:
    """Raises DiskFull; older checkpoints are then still there."""
    everything = dict(tensors)
    if state.best is not None:
        everything |= {f"best.{name}": tensor for name, tensor in state.best.matrices.items()}
    words = {
        "step": state.step,
        "tokens": state.tokens,
        "seconds": state.seconds,
        "losses": state.losses,
        "looks": [asdict(look) for look in state.looks],
        "best": asdict(state.best.look) if state.best else None,
    }
    file = folder / f"checkpoint-{state.step:07d}.safetensors"
    write_tensors(file, everything, {"state": json.dumps(words)})
    for old in _checkpoints(folder)[KEPT:]:
        old.unlink(missing_ok=True)


def load_state(folder: Path) -> tuple[TrainState, dict[str, torch.Tensor]] | None:
    """The newest whole checkpoint: a damaged one is passed over. None where there is none."""
    sweep(folder)
    for file in _checkpoints(folder):
        try:
            tensors, metadata = read_tensors(file)
            words = json.loads(metadata["state"])
            matrices = {n.removeprefix("best."): t for n, t in tensors.items() if n[:5] == "best."}
            best = Best(look=Look(**words["best"]), matrices=matrices) if words["best"] else None
            state = TrainState(
                step=words["step"],
                tokens=words["tokens"],
                seconds=words["seconds"],
                losses=tuple(words["losses"]),
                looks=tuple(Look(**look) for look in words["looks"]),
                best=best,
            )
        except (ModelUnusable, KeyError, TypeError, ValueError):
            continue
        return state, tensors
    return None


def _checkpoints(folder: Path) -> list[Path]:
    """Newest first."""
    return sorted(folder.glob("checkpoint-*.safetensors"), reverse=True)
