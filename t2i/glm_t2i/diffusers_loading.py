"""A folder with `model_index.json` as a painter: which pipeline, which numbers, where parts lie.

Needs the extra `diffusers`. Nothing is fetched, no code of the model's folder is run, and no
pickle is read. Not the drawing itself (`diffusers_painter`).
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import torch

from glm_protocol.errors import ModelUnusable, Unsupported
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_t2i.diffusers_painter import DiffusersPainter

_NO_FLOAT16 = ("CogView", "GlmImage")  # published: NaN or black pictures


def load_diffusers_painter(
    folder: Path, *, device: str | None = None, dtype: str | None = None
) -> DiffusersPainter:
    """Raises Unsupported without the extra, ModelUnusable on a folder that does not load."""
    name = class_name(folder)
    placement = choose_placement(device=device, dtype=dtype, accelerator=TorchAccelerator())
    number_format = sound_format(name, placement.dtype)
    library = _diffusers()
    if not hasattr(library, name):
        raise Unsupported(f"This diffusers has no {name}.", remedy="Install a newer one.")
    try:
        pipeline = getattr(library, name).from_pretrained(
            str(folder), torch_dtype=number_format, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        raise ModelUnusable(f"{folder} does not load: {str(error)[:300]}") from error
    notes = placed(pipeline, placement.device, placement.memory_budget_bytes)
    pipeline.set_progress_bar_config(disable=True)
    said = str(number_format).removeprefix("torch.")
    return DiffusersPainter(pipeline, device=placement.kind, dtype=said, notes=notes)


def sound_format(name: str, wanted: torch.dtype) -> torch.dtype:
    """float32 instead of float16 where that overflows; bfloat16 was not to be had then."""
    if wanted == torch.float16 and name.startswith(_NO_FLOAT16):
        return torch.float32
    return wanted


def placed(pipeline: Any, device: torch.device, budget: int) -> tuple[str, ...]:
    """Onto the device whole; else part by part, or layer by layer where a part is too large.

    What waits in main memory must not be moved first: moving it all is what there is no room for.
    """
    sizes = [
        sum(weight.nbytes for weight in part.parameters())
        for part in pipeline.components.values()
        if isinstance(part, torch.nn.Module)
    ]
    if device.type == "cpu" or sum(sizes) < budget:
        pipeline.to(device)
        return ()
    by_layers = max(sizes) >= budget
    try:
        if by_layers:
            pipeline.enable_sequential_cpu_offload(device=device)
        else:
            pipeline.enable_model_cpu_offload(device=device)
    except ImportError as error:
        raise Unsupported(
            "This card is smaller than the model, and accelerate is not there to help.",
            remedy="Install it: pip install 'glm-lsp[diffusers]'",
        ) from error
    if hasattr(getattr(pipeline, "vae", None), "enable_tiling"):
        pipeline.vae.enable_tiling()
    waiting = f"{sum(sizes) >> 20} MB of weights wait in main memory"
    what = "layer by layer, which is slow" if by_layers else "part by part"
    return (f"{waiting} and come to {device.type} {what}.",)


def class_name(folder: Path) -> str:
    """The pipeline's class. Raises ModelUnusable where the index names none."""
    try:
        index = json.loads((folder / "model_index.json").read_bytes())
        name = index["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnusable(f"{folder}/model_index.json cannot be read.") from error
    if not isinstance(name, str) or not name.isidentifier() or not name.endswith("Pipeline"):
        raise ModelUnusable(f"{folder}/model_index.json names no pipeline.")
    return name


def _diffusers() -> Any:
    try:
        return importlib.import_module("diffusers")
    except ImportError as error:
        raise Unsupported(
            "This model needs the package diffusers.",
            remedy="Install it: pip install 'glm-lsp[diffusers]'",
        ) from error
