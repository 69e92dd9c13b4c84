"""A linear layer's weight on a device: as floats, or as int8 or fp8 with scales, weight only.

Where a step's time is reading weights, half the bytes are half the time. The product is written
so that a compiler can fuse the widening into it (`bench/gpu.py --compile`); without one the
widened weight is a temporary, which saves memory and not time.

Legend: O outputs, I inputs, G groups of a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import linear

from glm_runtime.quantized_weight import QuantizedWeight, quantize

INT8, FP8 = "int8", "float8"
FORMATS = (INT8, FP8)
_GROUP = 64
_LARGEST_FP8 = 448.0  # of e4m3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DeviceLinear:
    """`values_OI` times `scale_OG`, one scale for each group of columns; None: plain floats."""

    values_OI: torch.Tensor
    scale_OG: torch.Tensor | None = None
    bias_O: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return linear(x, self.weight(x.dtype), self.bias_O)

    def weight(self, dtype: torch.dtype) -> torch.Tensor:
        if self.scale_OG is None:
            return self.values_OI
        rows, columns = self.values_OI.shape
        grouped = self.values_OI.to(dtype).view(rows, self.scale_OG.shape[1], -1)
        return (grouped * self.scale_OG[:, :, None]).view(rows, columns)

    @property
    def nbytes(self) -> int:
        parts = (self.values_OI, self.scale_OG, self.bias_O)
        return sum(part.nbytes for part in parts if part is not None)

    def to(self, device: torch.device, dtype: torch.dtype) -> DeviceLinear:
        def moved(part: torch.Tensor | None) -> torch.Tensor | None:
            return None if part is None else part.to(device, dtype)

        kept = dtype if self.scale_OG is None else self.values_OI.dtype
        return DeviceLinear(
            values_OI=self.values_OI.to(device, kept),
            scale_OG=moved(self.scale_OG),
            bias_O=moved(self.bias_O),
        )


def device_linear(
    weights: list[torch.Tensor | QuantizedWeight],
    *,
    biases: list[torch.Tensor] | None,
    number_format: str | None,
    device: torch.device,
    dtype: torch.dtype,
) -> DeviceLinear:
    """Matrices stacked by rows. `number_format`: one of `FORMATS`, None: `dtype`."""
    bias_O = None if biases is None else torch.cat(biases).to(device, dtype)
    parts = [_stored(weight, number_format, dtype) for weight in weights]
    scales = [scale for _, scale in parts if scale is not None]
    return DeviceLinear(
        values_OI=torch.cat([values for values, _ in parts]).to(device),
        scale_OG=torch.cat(scales).to(device, dtype) if scales else None,
        bias_O=bias_O,
    )


def _stored(
    weight: torch.Tensor | QuantizedWeight, number_format: str | None, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(values, scales)."""
    if isinstance(weight, QuantizedWeight):
        if number_format == INT8 and weight.scheme.bits == 8:
            return weight.values_OP, weight.scale_OG
        weight = weight.dequantize(torch.float32)
    if number_format == INT8:
        group = _GROUP if weight.shape[1] % _GROUP == 0 else 0
        packed = quantize(weight, bits=8, group_size=group)
        return packed.values_OP, packed.scale_OG
    if number_format == FP8:
        rows = weight.float()
        scale_O1 = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / _LARGEST_FP8
        return (rows / scale_O1).to(torch.float8_e4m3fn), scale_O1
    return weight.to(dtype, copy=True), None  # out of the file: aligned, and ours
