"""A folder of weights, checked from its config to its last byte, and its tensors.

Only safetensors, whole, with every shard there. Pickled weights are refused: they are converted
once, by an explicit command. Every tensor is looked at for values that are not finite, all of
it where it is small and a spread sample where it is large. What the model does with the tensors
is `causal_model`'s business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glm_protocol.errors import ModelUnusable
from glm_runtime.model_config import ModelConfig, read_config
from glm_runtime.quantization_scheme import SCALE_SUFFIX
from glm_runtime.safetensors_header import StoredTensor, read_header
from glm_runtime.weight_files import weight_files

if TYPE_CHECKING:
    import torch

    from glm_runtime.quantized_weight import QuantizedWeight

_SAMPLED_ELEMENTS = 1 << 22  # tensors up to this many elements are looked at whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """`shards` maps each file to what its header says is in it."""

    folder: Path
    config: ModelConfig
    shards: dict[Path, tuple[StoredTensor, ...]]

    @property
    def stored_bytes(self) -> int:
        return sum(tensors[-1].end for tensors in self.shards.values())

    @property
    def parameters(self) -> int:
        """Count of weights, quantised ones counted one by one (int4: two a byte)."""
        total = 0
        for tensors in self.shards.values():
            for tensor in tensors:
                if not tensor.name.endswith(SCALE_SUFFIX):
                    count = 1
                    for size in tensor.shape:
                        count *= size
                    total += count * 2 if tensor.dtype == "U8" else count
        return total

    def compare_names(self, *, missing: Collection[str], unexpected: Collection[str]) -> None:
        """Raises ModelUnusable, naming the first of them, unless both are empty."""
        for fault, names in (("missing", missing), ("unexpected", unexpected)):
            if names:
                first = ", ".join(sorted(names)[:5])
                raise ModelUnusable(f"{self.folder}: {len(names)} weights are {fault}: {first}.")

    def weights(self) -> Iterator[tuple[str, torch.Tensor | QuantizedWeight]]:
        """Every weight by name, quantised ones still packed. Raises ModelUnusable.

        torch is imported here and not above: the native engine reads the files itself.
        """
        import torch

        from glm_runtime.quantized_weight import QuantizedWeight

        tensors = {name: tensor for file in self.shards for name, tensor in _tensors_of(file)}
        for name, tensor in tensors.items():
            if name.endswith(SCALE_SUFFIX) and name.removesuffix(SCALE_SUFFIX) in tensors:
                continue
            if name + SCALE_SUFFIX not in tensors:
                if tensor.dtype == torch.int8:  # other integers are buffers, such as masks
                    raise ModelUnusable(f"{self.folder}: {name} is quantised, without scales.")
                yield name, tensor
                continue
            if self.config.scheme is None:
                raise ModelUnusable(f"{self.folder}: {name} is quantised, config.json is not.")
            try:
                yield name, QuantizedWeight.from_tensors(tensors, name, self.config.scheme)
            except ValueError as error:
                raise ModelUnusable(f"{self.folder}: {name}: {error}.") from error


def open_checkpoint(folder: Path) -> Checkpoint:
    """Check everything that can be checked without reading tensors. Raises ModelUnusable."""
    if not folder.is_dir():
        raise ModelUnusable(f"There is no model folder {folder}.")
    config = read_config(folder)
    shards = {file: read_header(file) for file in weight_files(folder)}
    names = [tensor.name for tensors in shards.values() for tensor in tensors]
    if len(set(names)) != len(names):
        raise ModelUnusable(f"{folder} holds a weight in two shards.")
    return Checkpoint(folder=folder, config=config, shards=shards)


def _tensors_of(file: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Memory-mapped tensors, each looked at for values that are not finite."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt", device="cpu") as stored:
            for name in stored.keys():  # noqa: SIM118 (not a dict)
                tensor = stored.get_tensor(name)
                if not looks_finite(tensor):
                    raise ModelUnusable(f"{file}: {name} holds values that are not finite.")
                yield name, tensor
    except (SafetensorError, OSError) as error:
        raise ModelUnusable(f"The weights file {file} cannot be read ({error}).") from error


def looks_finite(tensor: torch.Tensor) -> bool:
    """False when a looked-at value is NaN or infinite. Integers are finite."""
    if not tensor.is_floating_point():
        return True
    import torch

    flat = tensor.reshape(-1)
    step = -(-flat.numel() // _SAMPLED_ELEMENTS)  # ceiling
    return bool(torch.isfinite(flat[::step]).all())
