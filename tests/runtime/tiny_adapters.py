"""Random adapters for the tiny models, written as folders in peft's format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from glm_runtime.adapter import CONFIG, MANIFEST, WEIGHTS

RANK, ALPHA = 4, 8
# [O, I] of each linear layer of `tiny_models.GLM`.
SHAPES = {
    "self_attn.q_proj": (32, 32),
    "self_attn.k_proj": (16, 32),
    "self_attn.v_proj": (16, 32),
    "self_attn.o_proj": (32, 32),
    "mlp.gate_up_proj": (96, 32),
    "mlp.down_proj": (32, 48),
}


def random_adapter(seed: int = 0, *, layers: int = 2, size: float = 0.3) -> dict[str, torch.Tensor]:
    """Matrices by peft's names; B is not zero, so that the adapter changes every answer."""
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, torch.Tensor] = {}
    for index in range(layers):
        for name, (out, into) in SHAPES.items():
            head = f"base_model.model.model.layers.{index}.{name}"
            found[f"{head}.lora_A.weight"] = size * torch.randn(RANK, into, generator=generator)
            found[f"{head}.lora_B.weight"] = size * torch.randn(out, RANK, generator=generator)
    return found


def write_adapter(
    folder: Path, matrices: dict[str, torch.Tensor] | None = None, **manifest: Any
) -> Path:
    """A whole adapter folder; `manifest` adds fields to glm_adapter.json."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "tiny",
        "r": RANK,
        "lora_alpha": ALPHA,
        "target_modules": sorted({name.split(".")[1] for name in SHAPES}),
        "bias": "none",
    }
    (folder / CONFIG).write_text(json.dumps(config))
    save_file(random_adapter() if matrices is None else matrices, folder / WEIGHTS)
    (folder / MANIFEST).write_text(json.dumps({"version": 1, "base": "tiny", **manifest}))
    return folder
