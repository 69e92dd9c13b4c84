"""From a model's name to an engine: which reader a folder needs, and where its weights go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from glm_protocol.folders import user_folders
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.engine import EngineInfo, EngineOptions
from glm_runtime.hub_cache import cached_folder
from glm_runtime.model_config import read_fields
from glm_runtime.model_registry import ModelRegistry
from glm_vision.model_folder import is_own_architecture, load_model
from glm_vision.own_reader import OwnReader
from glm_vision.vision_engine import VisionEngine
from glm_vision.vision_model import VisionModel

TAUGHT_KEY = "glm_questions"  # of config.json: the set of questions the model was trained on


def load_engine(options: EngineOptions) -> VisionEngine:
    """See `vision_engine.load_engine`."""
    if options.threads:
        torch.set_num_threads(options.threads)
    spec = ModelRegistry(user_folders().registry).resolve(options.model)
    placement = choose_placement(
        device=options.device, dtype=options.dtype, accelerator=TorchAccelerator()
    )
    folder = spec.folder or cached_folder(spec.source)
    fields = read_fields(folder)
    model, architecture = _open(folder, fields, placement.kind, placement.dtype)
    info = EngineInfo(
        model=spec.name,
        family=spec.family,
        architecture=architecture,
        device=placement.kind,
        dtype=str(model.dtype).removeprefix("torch."),
        context_length=model.context_length,
        memory_bytes=_bytes_of(model),
        capabilities=("chat", "image_in") if model.sees else ("chat",),
        prompt_format=str(fields.get("template_version") or "processor"),
        notes=placement.notes,
    )
    return VisionEngine(model, info)


def _open(
    folder: Path, fields: dict[str, Any], device: str, dtype: torch.dtype
) -> tuple[VisionModel, str]:
    if is_own_architecture(fields):
        taught = str(fields.get(TAUGHT_KEY) or "")
        # A taught model is so small that fp32 is no burden, and it was checked in fp32.
        own = load_model(folder, device=device, dtype=torch.float32 if taught else dtype)
        return OwnReader(folder, own, taught=taught), str(own.config.model_type)
    from glm_vision.transformers_reader import read_folder

    other = read_folder(folder, device=device, dtype=dtype)
    return other, str(other.model.config.model_type)


def _bytes_of(model: VisionModel) -> int:
    network: Any = getattr(model, "model", None)
    return sum(weight.nbytes for weight in network.parameters()) if network is not None else 0
