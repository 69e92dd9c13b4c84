"""Reading of a model folder's weights, plain or in 8-bit groups, as fp32 tensors."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from glm_runtime.quantized_weight import (
    CONFIG_KEY,
    SCALE_SUFFIX,
    QuantizationScheme,
    QuantizedWeight,
)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Tensors of `model.safetensors` by name, all fp32, scales folded in."""
    stored = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    scheme = QuantizationScheme.from_config(config.get(CONFIG_KEY, {"bits": 8}))
    found: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        if name.endswith(SCALE_SUFFIX):
            continue
        if name + SCALE_SUFFIX in stored:
            weight = QuantizedWeight.from_tensors(stored, name, scheme)
            found[name] = weight.dequantize(torch.float32)
        else:
            found[name] = tensor.to(torch.float32)
    return found
