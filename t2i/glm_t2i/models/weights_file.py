"""Weights of one model from one or more safetensors files, put into a module that fits exactly.

A file is checked whole before anything is built from it; then keys and shapes must be those of
the module, neither more nor fewer. All failures are `ModelUnusable` and name the file and the key.
A matrix in 8 bits with its scales beside it (`glm_runtime.quantized_weight`) is multiplied out.
Nothing is unpickled: official `.pt` files are converted once, elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from glm_protocol.errors import ModelUnusable
from glm_runtime.checkpoint import looks_finite
from glm_runtime.quantized_weight import SCALE_SUFFIX, QuantizationScheme, QuantizedWeight
from glm_runtime.safetensors_header import StoredTensor, read_header

WRAPPER = "module."  # what distributed training leaves before every key
_SHOWN = 3  # keys named in a message


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsFile:
    """Headers of the files of one model. `tensors`: key without wrapper -> (file, entry)."""

    tensors: dict[str, tuple[Path, StoredTensor]]

    @property
    def name(self) -> str:
        return " + ".join(sorted({str(file) for file, _ in self.tensors.values()}))

    def shape(self, key: str) -> tuple[int, ...] | None:
        return self.tensors[key][1].shape if key in self.tensors else None

    def load_into(
        self,
        module: nn.Module,
        *,
        device: torch.device,
        dtype: torch.dtype | None,
        optional: Collection[str] = (),
    ) -> None:
        """Fill a module made on the meta device. Keys in `optional` may be absent; they stay
        zero. `dtype` None keeps what is stored. Raises ModelUnusable."""
        wanted = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        self._check(wanted, optional)
        loaded = {
            key: torch.zeros(shape, device=device, dtype=dtype)
            for key, shape in wanted.items()
            if key not in self.tensors
        }
        for file in dict.fromkeys(file for file, _ in self.tensors.values()):
            loaded.update(self._read(file, device, dtype))
        module.load_state_dict(loaded, strict=True, assign=True)

    def _check(self, wanted: dict[str, tuple[int, ...]], optional: Collection[str]) -> None:
        missing = [key for key in wanted if key not in self.tensors and key not in optional]
        if missing:
            raise ModelUnusable(f"{self.name} lacks {_named(missing)}.")
        unknown = [key for key in self.tensors if key not in wanted and not self._scales(key)]
        if unknown:
            raise ModelUnusable(
                f"{self.name} holds unknown {_named(unknown)}.",
                remedy="Check that weights and config.json belong together.",
            )
        for key, shape in wanted.items():
            stored = self.shape(key)
            if stored is not None and stored != shape:
                raise ModelUnusable(
                    f"{self.name}: {key} has shape {list(stored)}, the config asks for "
                    f"{list(shape)}.",
                    remedy="Check that weights and config.json belong together.",
                )
            if stored is not None and not self._is_weight(key):
                raise ModelUnusable(f"{self.name}: {key} holds integers, not weights.")

    def _is_weight(self, key: str) -> bool:
        rounded = key + SCALE_SUFFIX in self.tensors and self.tensors[key][1].dtype == "I8"
        return rounded or self.tensors[key][1].dtype.startswith(("F", "BF"))

    def _scales(self, key: str) -> bool:
        """Whether the key holds the scales of a matrix in 8 bits."""
        matrix = key.removesuffix(SCALE_SUFFIX)
        return matrix != key and matrix in self.tensors and self.tensors[matrix][1].dtype == "I8"

    def _read(
        self, file: Path, device: torch.device, dtype: torch.dtype | None
    ) -> Iterable[tuple[str, torch.Tensor]]:
        entries = [
            (key, at.name)
            for key, (place, at) in self.tensors.items()
            if place == file and not self._scales(key)
        ]
        try:
            with safe_open(file, framework="pt", device="cpu") as stored:
                for key, name in entries:
                    tensor = stored.get_tensor(name)
                    if key + SCALE_SUFFIX in self.tensors:
                        tensor = multiplied_out(tensor, stored.get_tensor(name + SCALE_SUFFIX))
                    if not looks_finite(tensor):
                        raise ModelUnusable(f"{file}: {key} holds values that are not finite.")
                    yield key, tensor.to(device=device, dtype=dtype)
        except (SafetensorError, OSError) as error:
            raise ModelUnusable(f"The weights file {file} cannot be read ({error}).") from error


def open_weights(files: Iterable[Path]) -> WeightsFile:
    """Read and check the headers. Raises ModelUnusable, also for a key in two files."""
    tensors: dict[str, tuple[Path, StoredTensor]] = {}
    for file in files:
        for entry in read_header(file):
            key = entry.name.removeprefix(WRAPPER)
            if key in tensors:
                raise ModelUnusable(f"{file} holds {key} a second time.")
            tensors[key] = (file, entry)
    if not tensors:
        raise ModelUnusable("No weights file was named.")
    return WeightsFile(tensors=tensors)


def multiplied_out(values_OI: torch.Tensor, scale_OG: torch.Tensor) -> torch.Tensor:
    """float32 of a matrix in 8 bits; groups by the scales' shape. Raises ModelUnusable."""
    rows, groups = scale_OG.shape if scale_OG.ndim == 2 else (0, 0)
    if values_OI.ndim != 2 or rows != len(values_OI) or groups < 1 or values_OI.shape[1] % groups:
        raise ModelUnusable("Scales and matrix in 8 bits do not fit each other.")
    scheme = QuantizationScheme(bits=8, group_size=values_OI.shape[1] // groups)
    stored = QuantizedWeight(scheme=scheme, values_OP=values_OI, scale_OG=scale_OG)
    return stored.dequantize(torch.float32)


def _named(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{', '.join(sorted(keys)[:_SHOWN])}{more}"
