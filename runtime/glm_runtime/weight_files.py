"""Which safetensors files make up a model folder. By their names alone: no tensor, no torch.

Pickled weights are refused: they are converted once, by an explicit command.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from glm_protocol.errors import ModelUnusable

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_INDEX_BYTES = 16 << 20
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def weight_files(folder: Path) -> list[Path]:
    """One file, or every shard of the index. Raises ModelUnusable; pickles are refused."""
    if (folder / INDEX).is_file():
        return _indexed_files(folder)
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    pickled = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLED)
    if pickled:
        raise ModelUnusable(
            f"{folder} holds pickled weights only ({pickled[0]}), which can run code when read.",
            remedy="Convert them once with `glm-lsp models convert`, or fetch safetensors.",
        )
    raise ModelUnusable(f"There is no {SINGLE} in {folder}.")


def _indexed_files(folder: Path) -> list[Path]:
    index = folder / INDEX
    try:
        if index.stat().st_size > MAX_INDEX_BYTES:
            raise ModelUnusable(f"{index} is larger than {MAX_INDEX_BYTES >> 20} MB.")
        weight_map: Any = json.loads(index.read_bytes())["weight_map"]
        names = sorted(set(weight_map.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelUnusable(f"{index} is not an index of weights.") from error
    for name in names:
        if (
            not isinstance(name, str)
            or Path(name).name != name
            or not name.endswith(".safetensors")
        ):
            raise ModelUnusable(
                f"{index} names the shard {name!r}, which is no file of the folder."
            )
    missing = [name for name in names if not (folder / name).is_file()]
    if missing or not names:
        raise ModelUnusable(
            f"{folder} is incomplete: {len(missing)} of {len(names)} shards are missing"
            f" ({', '.join(missing[:3])})."
        )
    return [folder / name for name in names]
