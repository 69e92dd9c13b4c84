"""One weight matrix stored as int8, or as int4 packed two to the byte, with fp16 scales.

Symmetric, per group of `group_size` columns of one row (0: the whole row is one group):
scale = max|w| / 127 (int8) or / 7 (int4), rounded up to fp16 so that no value is clipped; the
error of every weight is then at most scale / 2. On disk the matrix `<name>` holds the integers
and `<name>_scale` the scales; `config.json` says `"glm_quantization": {"bits", "group_size"}`.
Which matrices are quantised is the writer's choice: a reader goes by the `_scale` beside them.

Legend of the suffixes: O output rows, I input columns, P packed columns (I, or I / 2 for int4),
G groups of a row, S columns of a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from glm_runtime.quantization_scheme import CONFIG_KEY as CONFIG_KEY
from glm_runtime.quantization_scheme import SCALE_SUFFIX as SCALE_SUFFIX
from glm_runtime.quantization_scheme import QuantizationScheme as QuantizationScheme

_INT4_OFFSET = 8  # nibbles hold 1..15 for -7..7


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class QuantizedWeight:
    """`values_OP` int8 [O, I] or uint8 [O, I/2]; `scale_OG` fp16 [O, G]."""

    scheme: QuantizationScheme
    values_OP: torch.Tensor
    scale_OG: torch.Tensor

    def __post_init__(self) -> None:
        expected = torch.int8 if self.scheme.bits == 8 else torch.uint8
        if self.values_OP.dtype != expected or self.values_OP.ndim != 2:
            raise ValueError(f"values must be a {expected} matrix, not {self.values_OP.dtype}")
        if self.scale_OG.dtype != torch.float16 or self.scale_OG.ndim != 2:
            raise ValueError(f"scales must be a float16 matrix, not {self.scale_OG.dtype}")
        rows, columns = self.shape
        wanted = (rows, columns // (self.scheme.group_size or columns))
        if tuple(self.scale_OG.shape) != wanted:
            raise ValueError(f"scales must have shape {wanted}, not {tuple(self.scale_OG.shape)}")

    @property
    def shape(self) -> tuple[int, int]:
        """[O, I] of the matrix that is stood for."""
        rows, packed = self.values_OP.shape
        return (rows, packed if self.scheme.bits == 8 else 2 * packed)

    @property
    def memory_bytes(self) -> int:
        return self.values_OP.nbytes + self.scale_OG.nbytes

    def dequantize(self, dtype: torch.dtype) -> torch.Tensor:
        """weight_OI in `dtype`; multiplied in float32, so that bfloat16 rounds once."""
        values_OI = self.values_OP if self.scheme.bits == 8 else _unpack_int4(self.values_OP)
        rows, columns = self.shape
        groups = self.scale_OG.shape[1]
        values_OGS = values_OI.view(rows, groups, columns // groups).float()
        return (values_OGS * self.scale_OG.float()[:, :, None]).to(dtype).view(rows, columns)

    def to_tensors(self, name: str) -> dict[str, torch.Tensor]:
        """The two entries of a safetensors file."""
        return {name: self.values_OP, name + SCALE_SUFFIX: self.scale_OG}

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, torch.Tensor], name: str, scheme: QuantizationScheme
    ) -> QuantizedWeight:
        """Inverse of `to_tensors`. Raises ValueError where dtypes or shapes do not agree."""
        return cls(scheme=scheme, values_OP=tensors[name], scale_OG=tensors[name + SCALE_SUFFIX])


def quantize(weight_OI: torch.Tensor, *, bits: int, group_size: int = 0) -> QuantizedWeight:
    """Quantise a matrix. Raises ValueError: not a matrix, not finite, or groups that do not fit."""
    scheme = QuantizationScheme(bits=bits, group_size=group_size)
    if weight_OI.ndim != 2 or weight_OI.numel() == 0:
        raise ValueError(f"only a matrix can be quantised, not shape {tuple(weight_OI.shape)}")
    rows, columns = weight_OI.shape
    group = group_size or columns
    if columns % group or (bits == 4 and columns % 2):
        raise ValueError(f"{columns} columns do not split into groups of {group} ({bits} bits)")
    weight_OGS = weight_OI.detach().float().view(rows, columns // group, group)
    if not bool(torch.isfinite(weight_OGS).all()):
        raise ValueError("a weight that is not finite cannot be quantised")
    scale_OG = _fp16_rounded_up(weight_OGS.abs().amax(dim=-1) / scheme.largest)
    divisor_OG1 = scale_OG.float().masked_fill(scale_OG == 0, 1.0)[:, :, None]
    values_OI = (weight_OGS / divisor_OG1).round().to(torch.int8).view(rows, columns)
    return QuantizedWeight(
        scheme=scheme,
        values_OP=values_OI if bits == 8 else _pack_int4(values_OI),
        scale_OG=scale_OG,
    )


def _fp16_rounded_up(scale: torch.Tensor) -> torch.Tensor:
    """The smallest fp16 that is not below a float32 >= 0: an ulp up is +1 on the bits."""
    half = scale.half()
    below = half.float() < scale
    rounded = (half.view(torch.int16) + below.to(torch.int16)).view(torch.float16)
    if not bool(torch.isfinite(rounded).all()):
        raise ValueError("a weight is too large for an fp16 scale")
    return rounded


def _pack_int4(values_OI: torch.Tensor) -> torch.Tensor:
    """Even columns in the low nibble, odd columns in the high one."""
    nibbles_OI = (values_OI + _INT4_OFFSET).to(torch.uint8)
    return nibbles_OI[:, 0::2] | (nibbles_OI[:, 1::2] << 4)


def _unpack_int4(values_OP: torch.Tensor) -> torch.Tensor:
    pairs_OP2 = torch.stack((values_OP & 15, values_OP >> 4), dim=-1)
    return pairs_OP2.view(values_OP.shape[0], -1).to(torch.int8) - _INT4_OFFSET
