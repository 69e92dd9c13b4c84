"""Checkpoints as one safetensors file, written whole or not at all; nothing is ever unpickled."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come. `elapsed_s` counts training alone, over all resumes.

    `rows` counts rows of `length` targets, the length trained at just now.
    """

    step: int = 0
    tokens: int = 0
    rows: int = 0
    elapsed_s: float = 0.0
    length: int = 512


def save(path: Path, tensors: dict[str, Tensor], progress: Progress) -> None:
    """Write to a neighbour, flush to disk, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(plain, part, metadata={"progress": json.dumps(asdict(progress))})
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.replace(path)


def load(path: Path) -> tuple[dict[str, Tensor], Progress]:
    """Tensors and progress of a checkpoint. Raises FileNotFoundError where there is none."""
    with safe_open(path, framework="pt") as stream:
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        metadata = stream.metadata() or {}
    return tensors, Progress(**json.loads(metadata.get("progress", "{}")))
