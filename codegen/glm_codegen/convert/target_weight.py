"""One weight of the converted model: from which pieces of which source tensors it is made.

Legend: O output rows, I input columns, P stored columns (packed for int4), G groups of a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from glm_codegen.convert.official_quantization import adopt, bits_of
from glm_codegen.convert.source_tensors import SourceTensor, TensorReader
from glm_protocol.errors import ModelUnusable
from glm_runtime.quantized_weight import (
    SCALE_SUFFIX,
    QuantizationScheme,
    QuantizedWeight,
    quantize,
)

_QUANTISED_AT_ONCE = 1 << 20  # elements; bounds the float32 copies that quantising makes


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Rows `first` to `last` of a source tensor, then transposed where it lies so."""

    tensor: SourceTensor
    first: int
    last: int
    transposed: bool

    @property
    def shape(self) -> tuple[int, ...]:
        shape = (self.last - self.first, *self.tensor.shape[1:])
        return shape[::-1] if self.transposed else shape

    def read(self, reader: TensorReader) -> torch.Tensor:
        rows = reader.read(self.tensor)[self.first : self.last]
        return rows.t() if self.transposed else rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Assembly:
    """Pieces joined along `dim`; `copies` are the other ranks' and must be equal to it."""

    pieces: tuple[Piece, ...]
    dim: int
    copies: tuple[Piece, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Raises ValueError where the pieces do not fit together."""
        first, *others = [list(piece.shape) for piece in self.pieces]
        for other in others:
            joined = first[self.dim] + other[self.dim]
            if first[: self.dim] + first[self.dim + 1 :] != (
                other[: self.dim] + other[self.dim + 1 :]
            ):
                raise ValueError(f"slices of shapes {first} and {other}")
            first[self.dim] = joined
        return tuple(first)

    @property
    def dtype(self) -> torch.dtype:
        return self.pieces[0].tensor.dtype

    @property
    def told(self) -> str:
        """Source names, for messages."""
        return " + ".join(dict.fromkeys(piece.tensor.name for piece in self.pieces))

    def read(self, reader: TensorReader) -> torch.Tensor:
        """The values, contiguous. Raises ModelUnusable where ranks contradict each other."""
        if len(self.pieces) > 1:
            parts = [piece.read(reader) for piece in self.pieces]
            return torch.cat(parts, dim=self.dim)
        values = self.pieces[0].read(reader).contiguous()
        for copy in self.copies:
            if not torch.equal(copy.read(reader), values):
                raise ModelUnusable(
                    f"{copy.tensor.file} and {self.pieces[0].tensor.file} disagree"
                    f" about {copy.tensor.name}, which every rank must hold alike."
                )
        return values


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetWeight:
    """`shape` is the native weight's; `scheme` says how it is stored, None as floats."""

    name: str
    shape: tuple[int, ...]
    values: Assembly
    scale: Assembly | None = None  # given: the source is quantised already
    scheme: QuantizationScheme | None = None

    @property
    def stored(self) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
        """Names, dtypes and shapes of its entries in a file."""
        if self.scheme is None:
            return {self.name: (self.values.dtype, self.shape)}
        rows, columns = self.shape
        is_int8 = self.scheme.bits == 8
        packed, dtype = (columns, torch.int8) if is_int8 else (columns // 2, torch.uint8)
        groups = columns // (self.scheme.group_size or columns)
        return {
            self.name: (dtype, (rows, packed)),
            self.name + SCALE_SUFFIX: (torch.float16, (rows, groups)),
        }

    def read(self, reader: TensorReader) -> dict[str, torch.Tensor]:
        """The entries of `stored`, filled. Raises ModelUnusable for values that cannot be kept."""
        values = self.values.read(reader)
        if self.scheme is None:
            return {self.name: values[: self.shape[0]]}
        try:
            if self.scale is not None:
                packed = adopt(values, self.scale.read(reader), bits=self.scheme.bits)
            else:
                packed = _quantize_by_rows(values, self.scheme)
        except ValueError as error:
            raise ModelUnusable(f"{self.values.told}: {error}.") from error
        return packed.to_tensors(self.name)


def source_scheme(name: str, shape: tuple[int, ...], values: Assembly) -> QuantizationScheme:
    """How an official quantised matrix is stored. Raises ModelUnusable for unknown forms."""
    if any(piece.tensor.rank for piece in values.pieces):
        raise ModelUnusable(
            f"{values.told} is quantised and split over ranks, which cannot be joined.",
            remedy="Convert the float16 checkpoint with `--bits 8` instead.",
        )
    try:
        return QuantizationScheme(bits=bits_of(values.dtype, values.shape, shape))
    except ValueError as error:
        raise ModelUnusable(f"{values.told} (for {name}): {error}.") from error


def _quantize_by_rows(weight_OI: torch.Tensor, scheme: QuantizationScheme) -> QuantizedWeight:
    rows_at_once = max(1, _QUANTISED_AT_ONCE // weight_OI.shape[1])
    parts = [
        quantize(rows, bits=scheme.bits, group_size=scheme.group_size)
        for rows in torch.split(weight_OI, rows_at_once)
    ]
    return QuantizedWeight(
        scheme=scheme,
        values_OP=torch.cat([part.values_OP for part in parts]),
        scale_OG=torch.cat([part.scale_OG for part in parts]),
    )
