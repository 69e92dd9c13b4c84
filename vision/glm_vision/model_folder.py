"""`load_model`: a checkpoint folder in the released layout becomes a transformers model.

The released config.json has no `model_type` and names remote code in `auto_map`; that key is
ignored, no code of the folder is ever imported, and only fields that the configuration class
declares are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig

from glm_protocol.errors import ModelUnusable, Unsupported
from glm_runtime.checkpoint import looks_finite
from glm_runtime.model_config import read_fields
from glm_runtime.quantized_weight import CONFIG_KEY, QuantizationScheme
from glm_runtime.weight_files import weight_files
from glm_vision.models.auto_classes import ARCHITECTURES, OwnModel, register_auto_classes
from glm_vision.models.vision_offload import VisionOffload
from glm_vision.stored_tensors import check_names, tensors


def load_model(
    folder: str | Path,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    attn_implementation: str = "sdpa",
    offload_vision: bool = False,
) -> OwnModel:
    """The model in evaluation mode; `dtype` None keeps the stored one.

    On the CPU in the stored dtype the weights stay mapped from their file: while no image comes,
    the system may drop the vision weights from memory and read them again later. Elsewhere
    `offload_vision` keeps them in host memory and copies each piece over for its own call.

    Raises ModelUnusable, naming what is wrong with the folder.
    """
    folder = Path(folder)
    register_auto_classes()
    raw = read_fields(folder)
    config_class, build = architecture_of(raw)
    config = _config(folder, config_class, raw)
    config._attn_implementation = attn_implementation
    with torch.device("meta"):
        model = build(config)
    files = weight_files(folder)
    tied = set(model.all_tied_weights_keys)
    wanted = {name: weight.shape for name, weight in model.state_dict().items()}
    ignored = model._keys_to_ignore_on_load_unexpected or ()
    check_names(files, wanted, optional=tied, ignored=ignored)
    target = torch.device("cpu") if offload_vision else torch.device(device)
    for name, tensor in tensors(files, wanted, _scheme(folder, raw)):
        if not looks_finite(tensor):
            raise ModelUnusable(f"{folder}: {name} holds values that are not finite.")
        placed = tensor.to(device=target, dtype=dtype)
        model.load_state_dict({name: placed}, strict=False, assign=True)
    model.tie_weights()
    model.train(False)
    if offload_vision:
        VisionOffload(model, torch.device(device))
    return model


def _scheme(folder: Path, raw: Mapping[str, Any]) -> QuantizationScheme | None:
    if CONFIG_KEY not in raw:
        return None
    try:
        return QuantizationScheme.from_config(raw[CONFIG_KEY])
    except (ValueError, TypeError) as error:
        raise ModelUnusable(f"{folder / 'config.json'}: {_one_line(error)}.") from error


def is_own_architecture(raw: Mapping[str, Any]) -> bool:
    """Whether `load_model` knows the architecture that a config.json names."""
    try:
        architecture_of(raw)
    except Unsupported:
        return False
    return True


def architecture_of(
    raw: Mapping[str, Any],
) -> tuple[type[PreTrainedConfig], Callable[[Any], OwnModel]]:
    """By `model_type`, and for released files by what they say instead of it.

    CogVLM's and CogVLM2's have none and one class name; grouped keys tell them apart. CogAgent's
    class name is its own. GLM-4V-9B's is any ChatGLM's; its `vision_config` tells it.
    """
    model_type = raw.get("model_type")
    names = raw.get("architectures")
    if names == ["CogAgentForCausalLM"]:
        model_type = "cogagent"
    elif model_type is None and names == ["CogVLMForCausalLM"]:
        model_type = "cogvlm2" if "num_multi_query_heads" in raw else "cogvlm"
    elif model_type == "chatglm" and raw.get("vision_config"):
        model_type = "chatglm4v"
    for config_class, model_class in ARCHITECTURES:
        if config_class.model_type == model_type:
            return config_class, model_class
    known = ", ".join(config.model_type for config, _ in ARCHITECTURES)
    raise Unsupported(f"config.json names the architecture {model_type!r}; known here: {known}.")


def _config(folder: Path, cls: type[PreTrainedConfig], raw: Mapping[str, Any]) -> PreTrainedConfig:
    declared = {field.name for field in fields(cls)} - {f.name for f in fields(PreTrainedConfig)}
    try:
        return cls(**{key: value for key, value in raw.items() if key in declared})
    except (ValueError, TypeError, ArithmeticError, StrictDataclassError) as error:
        raise ModelUnusable(f"{folder / 'config.json'}: {_one_line(error)}.") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
