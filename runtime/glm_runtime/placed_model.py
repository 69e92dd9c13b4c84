"""A checkpoint becomes a model where it computes best: the native engine on the CPU, else torch.

The native engine is taken on a CPU for every architecture that it computes, unless a dtype of
torch is asked for by name; `int8` and `int4` ask for it by name. On a device that is asked for,
`int8` and `float8` are formats of the weights. torch is imported only when it
is needed. Where a device is present, it gets the models that are worth the trip there.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from glm_protocol.errors import ModelUnusable
from glm_runtime.causal_model import CausalModel
from glm_runtime.checkpoint import Checkpoint
from glm_runtime.engine import EngineOptions
from glm_runtime.native.engine_build import NoCompiler, build_for_the_next_start, found_library
from glm_runtime.native.engine_library import SWITCH
from glm_runtime.native.native_placement import BITS, CPU, NativePlacement

if TYPE_CHECKING:
    import torch

    from glm_runtime.device import Accelerator, Placement

# Parameters up to which the CPU is taken though there may be a device: a step of so small a model
# takes less than the device's launches, and the start less than importing torch.
SMALL = 100_000_000
WEIGHT_FORMATS = ("int8", "float8")
# Device files by which an accelerator shows itself; torch, which would know, takes a second.
_CPU_OR_ANY = (None, "auto", CPU)
_DEVICE_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/davinci0", "/dev/dri/renderD128", "/dev/accel")


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedModel:
    """`torch_device` and `torch_dtype` are None for a model that torch knows nothing of."""

    model: CausalModel
    placement: Placement | NativePlacement
    notes: tuple[str, ...]
    most_threads: int
    backend: str = "torch"
    torch_device: torch.device | None = None
    torch_dtype: torch.dtype | None = None


def place_model(
    checkpoint: Checkpoint, options: EngineOptions, accelerator: Accelerator | None = None
) -> PlacedModel:
    """`accelerator`: the device to ask instead of torch's own.

    Raises ModelUnusable, or BadRequest for a device or dtype that is not there.
    """
    notes: tuple[str, ...] = ()
    if accelerator is None and _may_be_native(checkpoint, options):
        try:
            if not _is_being_built(options):
                return _place_native(checkpoint, options)
            notes = (
                "the native engine is being compiled for the next start; torch computes"
                " meanwhile, which is slower",
            )
        except NoCompiler as error:
            notes = (
                f"the native engine is not there ({error}); torch computes, which is slower:"
                " install g++ or clang++ and restart",
            )
    if options.dtype in BITS and options.device in _CPU_OR_ANY:
        why = notes[0] if notes else "the native engine does not compute this architecture"
        raise ModelUnusable(f"{checkpoint.folder} cannot run in {options.dtype}: {why}.")
    return _place_torch(checkpoint, options, accelerator, notes)


def _may_be_native(checkpoint: Checkpoint, options: EngineOptions) -> bool:
    from glm_runtime.native.native_shape import native_shape

    if options.dtype not in (None, "auto", *BITS) or options.device not in _CPU_OR_ANY:
        return False
    if native_shape(checkpoint.config) is None:
        return False
    wanted = options.device == CPU or options.dtype in BITS
    return wanted or checkpoint.parameters <= SMALL or not device_is_likely()


def _is_being_built(options: EngineOptions) -> bool:
    """Compiling takes 15 s, and nobody shall wait for it whom torch can serve meanwhile.

    Raises NoCompiler."""
    if os.environ.get(SWITCH) == "0":
        raise NoCompiler(f"{SWITCH}=0 turns it off")
    if options.dtype in BITS or not find_spec("torch") or found_library() is not None:
        return False
    build_for_the_next_start()
    return True


def device_is_likely() -> bool:
    """Whether this machine shows signs of an accelerator, by files alone."""
    if sys.platform == "darwin":
        return os.uname().machine == "arm64"
    return any(Path(file).exists() for file in _DEVICE_FILES)


def _place_native(checkpoint: Checkpoint, options: EngineOptions) -> PlacedModel:
    from glm_runtime.native.native_loading import load_native_model, shape_of

    shape = shape_of(checkpoint)
    assert shape is not None
    bits = BITS.get(options.dtype or "")
    model = load_native_model(checkpoint, shape, bits=bits)
    most = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    model.use_threads(options.threads or 1)  # 1: until it is known what others need
    scheme = checkpoint.config.scheme
    stored = scheme.bits if scheme is not None else None
    notes = () if stored is not None else (f"weights rounded to int{bits or 8} at load",)
    placement = NativePlacement(dtype_name=f"int{bits or stored or 8}", kernels=model.kernels)
    return PlacedModel(
        model=model,
        placement=placement,
        notes=notes,
        most_threads=most,
        backend=f"native {model.kernels}",
    )


def _place_torch(
    checkpoint: Checkpoint,
    options: EngineOptions,
    accelerator: Accelerator | None,
    notes: tuple[str, ...],
) -> PlacedModel:
    import torch

    from glm_runtime.device import TorchAccelerator, choose_placement
    from glm_runtime.model_loading import load_model

    most = torch.get_num_threads()
    torch.set_num_threads(options.threads or 1)
    # int8 and float8 are of a device's weights alone; it computes in what suits it.
    number_format = options.dtype if options.dtype in WEIGHT_FORMATS else None
    placement = choose_placement(
        device=options.device,
        dtype=None if number_format else options.dtype,
        accelerator=accelerator or TorchAccelerator(),
    )
    model, more = load_model(checkpoint, placement, number_format=number_format)
    return PlacedModel(
        model=model,
        placement=placement,
        notes=(*notes, *more),
        most_threads=most,
        torch_device=placement.device,
        torch_dtype=placement.dtype,
    )
