"""The safetensors files of a checkpoint folder, and their tensors against what a model expects.

Nothing is read before names and shapes of every tensor are right. Pickled weights are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from glm_protocol.errors import ModelUnusable
from glm_runtime.safetensors_header import read_header

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_INDEX_BYTES = 16 << 20
IGNORABLE = ".rotary_emb.inv_freq"  # a buffer that released checkpoints carry


def weight_files(folder: Path) -> list[Path]:
    """One file or every shard of the index. Raises ModelUnusable."""
    index = folder / INDEX
    if not index.is_file():
        if (folder / SINGLE).is_file():
            return [folder / SINGLE]
        raise ModelUnusable(f"There is no {SINGLE} in {folder}.")
    try:
        if index.stat().st_size > MAX_INDEX_BYTES:
            raise ModelUnusable(f"{index} is larger than {MAX_INDEX_BYTES >> 20} MB.")
        named: Any = json.loads(index.read_bytes())["weight_map"].values()
        names = sorted({str(name) for name in named})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelUnusable(f"{index} is not an index of weights.") from error
    foreign = [name for name in names if Path(name).name != name or "safetensors" not in name]
    missing = [name for name in names if not (folder / name).is_file()]
    if foreign or missing or not names:
        raise ModelUnusable(f"{folder} lacks shards of its index: {(foreign or missing)[:3]}.")
    return [folder / name for name in names]


def check_names(files: list[Path], wanted: Mapping[str, torch.Size], optional: set[str]) -> None:
    """Every wanted tensor once, in its shape, and no other. Raises ModelUnusable."""
    found: dict[str, tuple[int, ...]] = {}
    for file in files:
        for stored in read_header(file):
            if stored.name in found:
                raise ModelUnusable(f"{file}: {stored.name} is in two shards.")
            found[stored.name] = stored.shape
    folder = files[0].parent
    missing = sorted(set(wanted) - set(found) - optional)
    foreign = sorted(name for name in set(found) - set(wanted) if not name.endswith(IGNORABLE))
    if missing or foreign:
        raise ModelUnusable(
            f"{folder} does not fit its config: {len(missing)} weights are missing"
            f" ({', '.join(missing[:2])}), {len(foreign)} are not of this architecture"
            f" ({', '.join(foreign[:2])})."
        )
    for name in set(found) & set(wanted):
        if found[name] != tuple(wanted[name]):
            raise ModelUnusable(
                f"{folder}: {name} is {found[name]}, config.json says {tuple(wanted[name])}."
            )


def tensors(files: list[Path]) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor, mapped from its file where it stays on the CPU. Raises ModelUnusable."""
    for file in files:
        try:
            with safe_open(file, framework="pt", device="cpu") as stored:
                for name in stored.keys():  # noqa: SIM118 (not a dict)
                    if not name.endswith(IGNORABLE):
                        yield name, stored.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise ModelUnusable(f"The weights file {file} cannot be read ({error}).") from error
