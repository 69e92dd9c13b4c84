"""One call that converts and keeps what was told."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from glm_codegen.convert.conversion import ConversionReport, ConversionRequest, convert


def converted(source: Path, destination: Path, **options: Any) -> ConversionReport:
    request = ConversionRequest(source=source, destination=destination, **options)
    return convert(request, told_on=io.StringIO())


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor of every shard."""
    found: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= load_file(file)
    return found
