"""One safetensors file, written entry by entry, that either is there whole or is not there.

The library's own writer wants every tensor in memory at once. Here the header comes first and
each tensor goes to its place as it is made; the file has its final name only after it reached
the disk. Format: https://github.com/huggingface/safetensors (header length, JSON, bytes).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch

from glm_protocol.errors import ModelUnusable
from glm_runtime.safetensors_header import read_header

Stored = Mapping[str, tuple[torch.dtype, tuple[int, ...]]]

_CODES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int8: "I8", torch.uint8: "U8",
}  # fmt: skip


def entry_bytes(dtype: torch.dtype, shape: tuple[int, ...]) -> int:
    return dtype.itemsize * prod(shape)


def write_shard(file: Path, stored: Stored, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Write `tensors`, which must be those of `stored`, each once, in any order. Raises OSError."""
    header, begins = _layout(stored)
    waiting = set(stored)
    partial = file.with_name(file.name + ".tmp")
    with partial.open("wb") as stream:
        stream.write(header)
        for name, tensor in tensors:
            dtype, shape = stored[name]
            assert tensor.dtype == dtype, name
            assert tuple(tensor.shape) == shape, name
            waiting.remove(name)
            stream.seek(len(header) + begins[name])
            flat: Any = tensor.contiguous().view(-1).view(torch.uint8).numpy()
            stream.write(flat.data)
            del tensor, flat  # they may keep a source file mapped while the next is made
        assert not waiting, waiting
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, file)  # noqa: PTH105 (the call that is atomic, spelled out)
    sync_folder(file.parent)


def write_bytes(file: Path, content: bytes) -> None:
    """A small file, there whole or not at all. Raises OSError."""
    partial = file.with_name(file.name + ".tmp")
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, file)  # noqa: PTH105
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_written(file: Path, stored: Stored) -> bool:
    """Whether `file` is there, whole by its header, with exactly these entries."""
    if not file.is_file():
        return False
    try:
        found = {entry.name: (entry.dtype, entry.shape) for entry in read_header(file)}
    except ModelUnusable:
        return False
    return found == {name: (_CODES[dtype], shape) for name, (dtype, shape) in stored.items()}


def _layout(stored: Stored) -> tuple[bytes, dict[str, int]]:
    """(header, place of each entry after it). Wide dtypes come first, so that all lie aligned."""
    order = sorted(stored, key=lambda name: (-stored[name][0].itemsize, name))
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    begins, position = {}, 0
    for name in order:
        dtype, shape = stored[name]
        end = position + entry_bytes(dtype, shape)
        entries[name] = {
            "dtype": _CODES[dtype],
            "shape": list(shape),
            "data_offsets": [position, end],
        }
        begins[name], position = position, end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, begins
