"""A checked checkpoint becomes a transformers model on a device.

Architectures come from the installed transformers alone; nothing of the model's folder is run.
Each module is imported when it is needed, since transformers dominates the time of a cold start.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub.errors import StrictDataclassError

from glm_protocol.errors import ModelUnusable
from glm_runtime.checkpoint import Checkpoint
from glm_runtime.device import Placement
from glm_runtime.quantized_linear import replace_linear
from glm_runtime.quantized_weight import QuantizedWeight

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

KEEP_PACKED_ABOVE = 600_000_000  # parameters; below, quantised weights are dequantised at load
_LAYER_COUNTS = ("num_hidden_layers", "n_layer", "num_layers")
_LARGEST_INTEGER = 2**31 - 1
# What a configuration or a model class raises on values that make no sense together.
_NONSENSE = (
    *(ValueError, TypeError, RuntimeError, KeyError, AttributeError, AssertionError),
    *(ArithmeticError, ImportError, StrictDataclassError),
)


def load_model(
    checkpoint: Checkpoint, placement: Placement, *, keep_packed_above: int = KEEP_PACKED_ABOVE
) -> tuple[PreTrainedModel, tuple[str, ...]]:
    """(model in evaluation mode on its device, notes). Raises ModelUnusable."""
    _silence_transformers()
    quantized = checkpoint.config.scheme is not None
    packed = quantized and checkpoint.parameters > keep_packed_above
    _check_memory(checkpoint, placement, packed=packed)
    model_class, config, notes = _build_config(checkpoint)
    state, kept = _state(checkpoint, placement.dtype, packed=packed)
    try:
        model, report = model_class.from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=placement.dtype,
            output_loading_info=True,
            local_files_only=True,
        )
    except _NONSENSE as error:
        raise ModelUnusable(
            f"The weights in {checkpoint.folder} do not fit their config.json ({_brief(error)})."
        ) from error
    for fault in ("missing", "unexpected"):
        names = sorted(report[f"{fault}_keys"])
        if names:
            raise ModelUnusable(
                f"{checkpoint.folder}: {len(names)} weights are {fault}: {', '.join(names[:5])}."
            )
    for name, weight in kept.items():
        replace_linear(model, name, weight)
    model.requires_grad_(False)
    return model.eval().to(placement.device), notes


def _silence_transformers() -> None:
    """Its warnings and progress bars; what went wrong is read from the loading report."""
    from transformers.utils import logging

    for silence in (logging.set_verbosity_error, logging.disable_progress_bar):
        call: Any = silence  # untyped
        call()


def _check_memory(checkpoint: Checkpoint, placement: Placement, *, packed: bool) -> None:
    loaded = checkpoint.parameters * placement.dtype.itemsize
    needed = checkpoint.stored_bytes if packed else loaded
    if needed > placement.memory_budget_bytes:
        raise ModelUnusable(
            f"{checkpoint.folder} needs {needed / 1e9:.1f} GB of memory on {placement.kind};"
            f" {placement.memory_budget_bytes / 1e9:.1f} GB may be used.",
            remedy="Close other programs, or choose a smaller or a quantised model.",
        )


def _build_config(
    checkpoint: Checkpoint,
) -> tuple[Any, PreTrainedConfig, tuple[str, ...]]:
    """(class of the model, its configuration, notes)."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    raw = checkpoint.config
    supported = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(raw.model_type)
    classes = (supported,) if isinstance(supported, str) else tuple(supported or ())
    if raw.architecture not in classes:
        raise ModelUnusable(
            f"{checkpoint.folder} is a {raw.architecture} ({raw.model_type}), which transformers"
            f" {transformers.__version__} does not know as a causal language model.",
            remedy="Choose a model of a supported architecture.",
        )
    _check_sizes(checkpoint)
    try:
        config_class: Any = CONFIG_MAPPING[raw.model_type]
        kept, left_out = raw.allowed(_declared_fields(config_class))
        config = config_class(**kept)
    except _NONSENSE as error:
        raise ModelUnusable(
            f"{checkpoint.folder}/config.json makes no sense ({_brief(error)})."
        ) from error
    notes = (f"config keys left out: {', '.join(left_out)[:200]}",) if left_out else ()
    return getattr(transformers, raw.architecture), config, notes


def _declared_fields(config_class: Any) -> set[str]:
    return {field.name for field in fields(config_class)} | set(config_class.attribute_map)


def _check_sizes(checkpoint: Checkpoint) -> None:
    """Sizes that would keep a model class busy before any weight is compared with them."""
    tensors = sum(len(shard) for shard in checkpoint.shards.values())
    for key, value in checkpoint.config.fields.items():
        if type(value) is int and abs(value) > _LARGEST_INTEGER:
            raise ModelUnusable(f"{checkpoint.folder}/config.json: {key} is out of range.")
        if key in _LAYER_COUNTS and type(value) is int and value > tensors:
            raise ModelUnusable(
                f"{checkpoint.folder}/config.json speaks of {value} layers; the weights hold"
                f" {tensors} tensors."
            )


def _state(
    checkpoint: Checkpoint, dtype: torch.dtype, *, packed: bool
) -> tuple[dict[str, torch.Tensor], dict[str, QuantizedWeight]]:
    """(float tensors by name, weights that stay packed).

    A packed weight leaves a placeholder of its shape without memory behind. Embeddings and an
    output layer tied to them are looked up by row, so they are dequantised.
    """
    state: dict[str, torch.Tensor] = {}
    kept: dict[str, QuantizedWeight] = {}
    for name, weight in checkpoint.weights():
        if isinstance(weight, torch.Tensor):
            state[name] = weight
        elif packed and name.endswith("_proj.weight"):
            kept[name] = weight
            state[name] = torch.zeros((), dtype=dtype).expand(weight.shape)
        else:
            state[name] = weight.dequantize(dtype)
    return state, kept


def _brief(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
