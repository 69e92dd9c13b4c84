"""The tensors of the source files: listed without reading them, then read one at a time.

Every file is memory-mapped and torch's pickles are read with `weights_only`, which runs no code.
Pages that were read stay counted as ours while their file is mapped, so the files are mapped
anew after `remap_bytes`: that, and one tensor, is all that is ever held. What a name means is
not known here.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy
import torch
from safetensors import SafetensorError, safe_open

from glm_codegen.convert.source_files import SourceFiles
from glm_protocol.errors import ModelUnusable
from glm_runtime.safetensors_header import read_header

_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
_TORN = "Fetch the file again: it is cut short, or not what its name says."


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceTensor:
    """One tensor as a file has it; `name` is the path of keys that leads to it, by dots."""

    name: str
    file: Path
    rank: int
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def list_tensors(source: SourceFiles) -> list[SourceTensor]:
    """Every tensor of every file. Raises ModelUnusable for a file that cannot be read whole."""
    found: list[SourceTensor] = []
    seen: set[tuple[int, str]] = set()
    for file, rank in zip(source.files, source.ranks, strict=True):
        for name, dtype, shape in _listing(file):
            if (rank, name) in seen:
                raise ModelUnusable(f"{file} holds {name} a second time.")
            seen.add((rank, name))
            found.append(SourceTensor(name=name, file=file, rank=rank, dtype=dtype, shape=shape))
    return found


def _listing(file: Path) -> Iterator[tuple[str, torch.dtype, tuple[int, ...]]]:
    if file.suffix == ".safetensors":
        for stored in read_header(file):
            yield stored.name, _DTYPES[stored.dtype], stored.shape
        return
    for name, tensor in _mapped(file).items():
        yield name, tensor.dtype, tuple(tensor.shape)


class TensorReader:
    """Reads tensors; what it returns may lie in a mapped file and must not be written to."""

    def __init__(self, *, remap_bytes: int) -> None:
        self._remap_bytes = remap_bytes
        self._mapped: dict[Path, Mapping[str, torch.Tensor]] = {}
        self._read_bytes = 0

    def read(self, tensor: SourceTensor) -> torch.Tensor:
        """The tensor's values. Raises ModelUnusable where the file has changed meanwhile."""
        if self._read_bytes + tensor.nbytes > self._remap_bytes:
            self._mapped.clear()
            self._read_bytes = 0
        if tensor.file not in self._mapped:
            self._mapped[tensor.file] = _mapped(tensor.file)
        self._read_bytes += tensor.nbytes
        values = self._mapped[tensor.file].get(tensor.name)
        if values is None or tuple(values.shape) != tensor.shape or values.dtype != tensor.dtype:
            raise ModelUnusable(f"{tensor.file} changed while it was read.")
        return values


class _SafetensorsMapping(Mapping[str, torch.Tensor]):
    """Tensors of one safetensors file, each fetched when asked for."""

    def __init__(self, file: Path) -> None:
        self._names = [stored.name for stored in read_header(file)]
        try:
            self._stored: Any = safe_open(file, framework="pt", device="cpu")
        except (SafetensorError, OSError) as error:
            raise _unreadable(file, error) from error

    def __getitem__(self, name: str) -> torch.Tensor:
        if name not in self._names:
            raise KeyError(name)
        tensor: torch.Tensor = self._stored.get_tensor(name)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _mapped(file: Path) -> Mapping[str, torch.Tensor]:
    if file.suffix == ".safetensors":
        return _SafetensorsMapping(file)
    if file.suffix == ".npy":
        return {file.stem: _numpy_tensor(file)}
    return _torch_tensors(file)


def _numpy_tensor(file: Path) -> torch.Tensor:
    try:
        # mode "c": torch wants writable memory; writes would stay private to this process
        values: Any = numpy.load(file, mmap_mode="c", allow_pickle=False)
        return torch.from_numpy(values)
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise _unreadable(file, error) from error


def _torch_tensors(file: Path) -> dict[str, torch.Tensor]:
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise ModelUnusable(
            f"{file} holds more than tensors, which could run code when read"
            f" ({str(error).splitlines()[0][:120]}).",
            remedy="Save its tensors alone with torch.save, or fetch safetensors.",
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise _unreadable(file, error) from error
    tensors: dict[str, torch.Tensor] = {}
    for path, value in _leaves(loaded, ()):
        name = ".".join(path)
        if name in tensors:
            raise ModelUnusable(f"{file} holds {name} twice, nested and flat.")
        tensors[name] = value.detach()
    return tensors


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], torch.Tensor]]:
    """Tensors of nested dictionaries; numbers and texts (step counts, versions) are no weights."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, str(index)))


def _unreadable(file: Path, error: Exception) -> ModelUnusable:
    reason = ""
    with suppress(IndexError):
        reason = f" ({str(error).splitlines()[0][:160]})"
    return ModelUnusable(f"{file} cannot be read{reason}.", remedy=_TORN)
