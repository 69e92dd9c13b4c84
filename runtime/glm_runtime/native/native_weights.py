"""A checkpoint's tensors as numpy sees them in the mapped file: bytes, shapes, kinds. No torch.

bfloat16 has no numpy type: it stays as 16-bit integers, which is what the engine takes. What was
taken can be given back to the system (`release`), so that loading needs no second copy in memory.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glm_protocol.errors import ModelUnusable
from glm_runtime.quantization_scheme import SCALE_SUFFIX
from glm_runtime.safetensors_header import StoredTensor

Array = NDArray[Any]
# Kinds of engine.cpp and the numpy type that holds the bytes.
_KINDS: dict[str, tuple[int, Any]] = {
    "F32": (0, np.float32),
    "F16": (1, np.uint16),
    "BF16": (2, np.uint16),
    "I8": (3, np.int8),
    "U8": (4, np.uint8),
}
_EXPONENT = {"F16": 0x7C00, "BF16": 0x7F80}  # all ones: not a finite value
_SAMPLED = 1 << 20  # elements that are looked at for values that are not finite


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FilePart:
    """Bytes of a mapped file."""

    file: mmap.mmap
    begin: int
    end: int

    def release(self) -> None:
        """Its whole pages are dropped from memory; they are read again when they are looked at."""
        begin = -(-self.begin // mmap.PAGESIZE) * mmap.PAGESIZE
        length = self.end // mmap.PAGESIZE * mmap.PAGESIZE - begin
        if length > 0 and hasattr(mmap, "MADV_DONTNEED"):
            self.file.madvise(mmap.MADV_DONTNEED, begin, length)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NativeTensor:
    """`values` [rows, columns], or one dimension; int4 holds two columns a byte."""

    name: str
    kind: int
    dtype: str
    values: Array
    scale: Array | None = None  # fp16 as uint16, [rows, groups]
    parts: tuple[FilePart, ...] = ()

    def release(self) -> None:
        for part in self.parts:
            part.release()

    @property
    def rows(self) -> int:
        return int(self.values.shape[0])

    @property
    def columns(self) -> int:
        return int(self.values.shape[1]) * (2 if self.dtype == "U8" else 1)

    @property
    def groups(self) -> int:
        return 0 if self.scale is None else int(self.scale.shape[1])

    def floats(self) -> NDArray[np.float32]:
        """A vector's values."""
        if self.dtype == "F16":
            return self.values.view(np.float16).astype(np.float32)
        if self.dtype == "BF16":
            return (self.values.astype(np.uint32) << 16).view(np.float32)
        return np.ascontiguousarray(self.values, np.float32)

    def part(self, first: int, last: int) -> NativeTensor:
        """Rows from `first` to before `last`."""
        scale = None if self.scale is None else self.scale[first:last]
        return replace(self, values=self.values[first:last], scale=scale)


def native_tensors(shards: Mapping[Path, tuple[StoredTensor, ...]]) -> dict[str, NativeTensor]:
    """Every weight by name, scales beside what they belong to. Raises ModelUnusable."""
    plain: dict[str, NativeTensor] = {}
    for file, stored in shards.items():
        with file.open("rb") as opened:
            mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        begin = 8 + int.from_bytes(mapped[:8], "little")
        for tensor in stored:
            part = FilePart(file=mapped, begin=begin + tensor.begin, end=begin + tensor.end)
            plain[tensor.name] = _tensor(file, part, tensor)
    found: dict[str, NativeTensor] = {}
    for name, one in plain.items():
        if name.endswith(SCALE_SUFFIX) and name.removesuffix(SCALE_SUFFIX) in plain:
            continue
        scale = plain.get(name + SCALE_SUFFIX)
        if (scale is not None) != (one.kind >= 3) or (one.kind >= 3 and one.values.ndim != 2):
            raise ModelUnusable(f"{name} is quantised, and its scales do not fit.")
        if scale is not None:
            one = _scaled(one, scale)
        found[name] = one
    return found


def _tensor(file: Path, part: FilePart, stored: StoredTensor) -> NativeTensor:
    if stored.dtype not in _KINDS:
        raise ModelUnusable(f"{file}: {stored.name} is {stored.dtype}, which is not computed with.")
    kind, dtype = _KINDS[stored.dtype]
    data = np.frombuffer(part.file, np.uint8, part.end - part.begin, part.begin)
    # An offset in the file need not be a multiple of the element's size: then it is copied.
    aligned = data.ctypes.data % np.dtype(dtype).itemsize == 0
    values = (data if aligned else data.copy()).view(dtype).reshape(stored.shape)
    if not _looks_finite(values, stored.dtype):
        raise ModelUnusable(f"{file}: {stored.name} holds values that are not finite.")
    part.release()  # what was looked at
    return NativeTensor(
        name=stored.name, kind=kind, dtype=stored.dtype, values=values, parts=(part,)
    )


def _scaled(one: NativeTensor, scale: NativeTensor) -> NativeTensor:
    shape = scale.values.shape
    if scale.dtype != "F16" or len(shape) != 2 or shape[0] != one.rows or one.columns % shape[1]:
        raise ModelUnusable(f"{one.name} is quantised, and its scales do not fit.")
    return replace(one, scale=scale.values, parts=(*one.parts, *scale.parts))


def _looks_finite(values: Array, dtype: str) -> bool:
    flat = values.reshape(-1)
    flat = flat[:: -(-flat.size // _SAMPLED) or 1]
    if dtype == "F32":
        return bool(np.isfinite(flat).all())
    mask = _EXPONENT.get(dtype)
    return mask is None or not bool(((flat & mask) == mask).any())
