"""Where a model computes and in which number format: device, dtype, memory budget.

The one file that knows vendors. Everything else goes through `torch.accelerator`, so that CUDA,
ROCm (which calls itself cuda), XPU, MPS and plug-ins such as Ascend's NPU are one code path.
Nothing is moved here; `model_loading` moves the weights, `decode` falls back to the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from glm_protocol.errors import BadRequest
from glm_runtime.free_memory import free_cpu_bytes

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
CPU = "cpu"
_SHARE_OF_FREE_MEMORY = 0.8  # the rest is for activations, the KV cache and the user


class Accelerator(Protocol):
    """What is asked of the machine; tests stand in with a device that is not there."""

    @property
    def kind(self) -> str | None:
        """torch's device type, or None without an accelerator."""
        ...

    def device(self) -> torch.device: ...

    def free_bytes(self) -> int: ...

    def supports_bfloat16(self) -> bool: ...


class TorchAccelerator:
    """The accelerator that torch finds, if any."""

    @property
    def kind(self) -> str | None:
        if not torch.accelerator.is_available():
            return None
        current = torch.accelerator.current_accelerator()
        return None if current is None else current.type

    def device(self) -> torch.device:
        device = torch.accelerator.current_accelerator()
        assert device is not None, "asked for the device of a machine without one"
        return device

    def free_bytes(self) -> int:
        """Free memory of the device; of the machine where the two share it (MPS)."""
        module = torch.get_device_module(self.device())
        if hasattr(module, "mem_get_info"):  # cuda, xpu, npu
            return int(module.mem_get_info()[0])
        return free_cpu_bytes()

    def supports_bfloat16(self) -> bool:
        """In hardware: cuda emulates it on cards before Ampere, which is slow."""
        module = torch.get_device_module(self.device())
        if self.kind == "cuda":
            return bool(module.is_bf16_supported(including_emulation=False))
        return bool(getattr(module, "is_bf16_supported", lambda: self.kind == "mps")())


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where a model goes. `kind` is the device type as said to users."""

    kind: str
    device: torch.device
    dtype: torch.dtype
    memory_budget_bytes: int
    notes: tuple[str, ...] = ()

    @property
    def dtype_name(self) -> str:
        return str(self.dtype).removeprefix("torch.")


def choose_placement(
    *, device: str | None, dtype: str | None, accelerator: Accelerator
) -> Placement:
    """Device and dtype as asked, or the best of the machine. Raises BadRequest."""
    kind = _choose_kind(device, accelerator.kind)
    on_cpu = kind == CPU
    return Placement(
        kind=kind,
        device=torch.device(CPU) if on_cpu else accelerator.device(),
        dtype=_choose_dtype(dtype, None if on_cpu else accelerator),
        memory_budget_bytes=int(
            _SHARE_OF_FREE_MEMORY * (free_cpu_bytes() if on_cpu else accelerator.free_bytes())
        ),
    )


def _choose_kind(asked: str | None, present: str | None) -> str:
    if asked is None or asked == "auto":
        return present or CPU
    if asked not in (CPU, present):
        here = " and ".join(filter(None, (present, CPU)))
        raise BadRequest(
            f"There is no device {asked!r} on this machine; torch finds {here}.",
            remedy="Choose one of these, or install torch for that device: see docs/devices.md.",
        )
    return asked


def _choose_dtype(asked: str | None, accelerator: Accelerator | None) -> torch.dtype:
    """bfloat16 where the hardware has it. Without it: float16 on a device, float32 on a CPU."""
    if asked is not None and asked != "auto":
        if asked not in DTYPES:
            raise BadRequest(f"There is no dtype {asked!r}; choose one of {', '.join(DTYPES)}.")
        return DTYPES[asked]
    if accelerator is None:
        return torch.bfloat16 if cpu_computes_bfloat16() else torch.float32
    return torch.bfloat16 if accelerator.supports_bfloat16() else torch.float16


def cpu_computes_bfloat16() -> bool:
    """True with AVX512-BF16 or AMX instructions.

    By capability and not by a timing at load, so that a machine gives the same text every day.
    Measured for an 8M-parameter model on Zen 5: prefill takes half of float32's time.
    """
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, probe, bool)()) for probe in probes)
