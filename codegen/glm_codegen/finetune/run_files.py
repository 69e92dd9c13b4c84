"""Files of a run: each whole or not there, readable by their owner alone, never a pickle.

Written beside their place, flushed to the disk, renamed. What a crash leaves behind ends in
`.part` and is swept when the run's folder is opened again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from glm_protocol.errors import GlmError
from glm_runtime.safetensors_header import read_header

PART = ".part"


class DiskFull(GlmError):
    """A file of a run could not be written; what was there before is whole."""

    code = "disk_full"
    http_status = 507
    default_remedy = "Make room on the disk, then go on with --resume."


def write_bytes(path: Path, content: bytes) -> None:
    """Raises DiskFull; `path` is then what it was."""
    part = path.with_name(path.name + PART)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DiskFull(f"{path} could not be written ({error.strerror}).") from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Readable JSON with a newline at the end."""
    write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], words: dict[str, str]) -> None:
    """One safetensors file; `words` go to its metadata."""
    write_bytes(path, save(tensors, metadata=words))


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata. Raises ModelUnusable for a file that is not whole."""
    read_header(path)
    with safe_open(path, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        return tensors, dict(stored.metadata() or {})


def sweep(folder: Path) -> None:
    """Remove what a crash left behind."""
    for part in folder.glob(f"**/*{PART}"):
        part.unlink(missing_ok=True)
