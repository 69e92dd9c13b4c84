"""A checked checkpoint becomes a model: by code of our own where there is some, else transformers'.

transformers' own code runs any architecture on any device; it is imported only when it is needed,
since that takes longer than all the rest of a cold start.
"""

from __future__ import annotations

from glm_protocol.errors import ModelUnusable
from glm_runtime.causal_model import CausalModel
from glm_runtime.checkpoint import Checkpoint
from glm_runtime.device import CPU, Placement
from glm_runtime.glm_loading import is_plain_glm, load_glm_model
from glm_runtime.native.native_shape import native_shape

KEEP_PACKED_ABOVE = 600_000_000  # parameters; below, quantised weights are dequantised at load
_LAYER_COUNTS = ("num_hidden_layers", "n_layer", "num_layers")
_LARGEST_INTEGER = 2**31 - 1


def load_model(
    checkpoint: Checkpoint,
    placement: Placement,
    *,
    keep_packed_above: int = KEEP_PACKED_ABOVE,
    native: bool = True,
    number_format: str | None = None,
) -> tuple[CausalModel, tuple[str, ...]]:
    """(model on its device, notes). `native` False: transformers' code; `number_format`: of a
    device's linear weights, None: the placement's dtype. Raises ModelUnusable.
    """
    quantized = checkpoint.config.scheme is not None
    packed = quantized and checkpoint.parameters > keep_packed_above
    _check_sizes(checkpoint)
    _check_memory(checkpoint, placement, packed=packed)
    config = checkpoint.config
    shape = native_shape(config) if native and placement.kind != CPU else None
    if number_format is not None and shape is None:
        raise ModelUnusable(
            f"{checkpoint.folder} cannot run in {number_format} on {placement.kind}.",
            remedy="Leave --dtype out, or choose a device and a model of the Llama form.",
        )
    is_glm = config.model_type == "glm" and config.architecture == "GlmForCausalLM"
    if native and is_glm and placement.kind == CPU and not packed and is_plain_glm(config.fields):
        return load_glm_model(checkpoint, placement)
    if shape is not None:
        from glm_runtime.captured.captured_loading import load_captured_model

        return load_captured_model(checkpoint, shape, placement, number_format=number_format), ()
    from glm_runtime.transformers_model import load_transformers_model

    return load_transformers_model(checkpoint, placement, packed=packed)


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


def _check_memory(checkpoint: Checkpoint, placement: Placement, *, packed: bool) -> None:
    loaded = checkpoint.parameters * placement.dtype.itemsize
    needed = checkpoint.stored_bytes if packed else loaded
    if needed > placement.memory_budget_bytes:
        raise ModelUnusable(
            f"{checkpoint.folder} needs {needed / 1e9:.1f} GB of memory on {placement.kind};"
            f" {placement.memory_budget_bytes / 1e9:.1f} GB may be used.",
            remedy="Close other programs, or choose a smaller or a quantised model.",
        )
