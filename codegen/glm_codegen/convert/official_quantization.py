"""The official weight-only int8 and int4 of the CodeGeeX and ChatGLM projects, as ours.

Theirs: one scale per output row, `weight` int8 [O, I] or, for int4, [O, I / 2] with two signed
nibbles to the byte, the even column in the high one; `weight_scale` [O]. Ours packs the even
column low, offset by 8 (`glm_runtime.quantized_weight`). Every value is carried over exactly.
The nibble order is that of their published kernels' description, not of a released checkpoint.

Legend: O output rows, I input columns, P packed columns (I / 2).
"""

from __future__ import annotations

import torch

from glm_runtime.quantized_weight import QuantizationScheme, QuantizedWeight


def bits_of(dtype: torch.dtype, stored: tuple[int, ...], native: tuple[int, ...]) -> int:
    """8 or 4, by the stored shape of a matrix of shape `native`. Raises ValueError for others."""
    if dtype != torch.int8 or len(stored) != 2 or len(native) != 2:
        raise ValueError(f"{dtype} of shape {list(stored)} beside a scale is no known form")
    for bits in (8, 4):
        if stored == (native[0], native[1] * bits // 8):
            return bits
    raise ValueError(f"shape {list(stored)} is neither int8 nor int4 of {list(native)}")


def adopt(values_OP: torch.Tensor, scale_O: torch.Tensor, *, bits: int) -> QuantizedWeight:
    """Their integers and scales in our storage. Raises ValueError for scales that do not fit."""
    scale_OG = scale_O.to(torch.float16).reshape(-1, 1)
    if scale_OG.shape[0] != values_OP.shape[0] or not bool(torch.isfinite(scale_OG).all()):
        raise ValueError(f"its scale of shape {list(scale_O.shape)} does not fit, or is not finite")
    return QuantizedWeight(
        scheme=QuantizationScheme(bits=bits),
        values_OP=values_OP if bits == 8 else _repack(values_OP),
        scale_OG=scale_OG,
    )


def _repack(values_OP: torch.Tensor) -> torch.Tensor:
    """Swap the nibbles, and turn two's complement into an offset of 8 (flip the sign bits)."""
    bytes_OP = values_OP.contiguous().view(torch.uint8)
    return ((bytes_OP >> 4) | (bytes_OP << 4)) ^ 0x88
