"""The header of one safetensors file, read and checked before any library sees the file.

Stricter than the format: a header over 1 MB, a name given twice, an empty tensor, a gap or an
overlap, a length that is not the file's, are all refused with a ModelUnusable that names the
file (measured: the format's own reader accepts a million empty tensors and a 99 MB header).
No tensor is read here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from glm_protocol.errors import ModelUnusable

MAX_HEADER_BYTES = 1 << 20
MAX_DIMENSIONS = 8
BYTES_OF_DTYPE = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTensor:
    """Where one tensor lies: `begin` and `end` are bytes after the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(file: Path) -> tuple[StoredTensor, ...]:
    """The tensors of a file, in the order of their bytes. Raises ModelUnusable."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > size - 8:
                raise _unusable(file, "is cut short, or is no safetensors file")
            if length > MAX_HEADER_BYTES:
                raise _unusable(file, f"has a header of {length} bytes; 1 MB is the most allowed")
            header = stream.read(length)
    except OSError as error:
        raise _unusable(file, f"cannot be read ({error.strerror})") from error
    try:
        entries = json.loads(header, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _unusable(file, "has a header that is not valid JSON") from error
    if not isinstance(entries, dict):
        raise _unusable(file, "has a header that is no JSON object")
    entries.pop("__metadata__", None)
    tensors = [_tensor(file, name, entry) for name, entry in entries.items()]
    tensors.sort(key=lambda tensor: tensor.begin)
    _check_tiling(file, tensors, data_bytes=size - 8 - length)
    return tuple(tensors)


def _tensor(file: Path, name: str, entry: Any) -> StoredTensor:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _unusable(file, f"describes {name!r} in an unknown way")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if dtype not in BYTES_OF_DTYPE:
        raise _unusable(file, f"stores {name!r} as {dtype!r}, which is not supported")
    if not _are_naturals(shape) or len(shape) > MAX_DIMENSIONS or prod(shape) == 0:
        raise _unusable(file, f"gives {name!r} the shape {str(shape)[:80]}")
    if not _are_naturals(offsets) or len(offsets) != 2:
        raise _unusable(file, f"gives {name!r} no place in the file")
    begin, end = offsets
    if end - begin != prod(shape) * BYTES_OF_DTYPE[dtype]:
        raise _unusable(file, f"gives {name!r} a length that does not fit its shape")
    return StoredTensor(name=name, dtype=dtype, shape=tuple(shape), begin=begin, end=end)


def _check_tiling(file: Path, tensors: list[StoredTensor], *, data_bytes: int) -> None:
    """The tensors cover the data exactly: no gap, no overlap, nothing missing, nothing after."""
    if not tensors:
        raise _unusable(file, "holds no tensors")
    position = 0
    for tensor in tensors:
        if tensor.begin != position:
            raise _unusable(file, f"has a gap or an overlap before {tensor.name!r}")
        position = tensor.end
    if position > data_bytes:
        raise _unusable(file, f"is cut short: {position - data_bytes} bytes are missing")
    if position < data_bytes:
        raise _unusable(file, f"has {data_bytes - position} bytes that belong to no tensor")


def _are_naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a key is given twice")
    return names


def _unusable(file: Path, reason: str) -> ModelUnusable:
    return ModelUnusable(f"The weights file {file} {reason}.")
