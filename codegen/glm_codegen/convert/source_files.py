"""Which files of SRC hold its weights, and in which of the known layouts. Opens none of them.

file        .safetensors, or torch's .pt .bin .pth .ckpt
folder      an index of shards, else model.safetensors, else pytorch_model.bin,
            else tensor-parallel mp_rank_NN_model_states.pt, else all of one kind,
            else NumPy .npy files, one a tensor (how MindSpore weights travel)
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glm_protocol.errors import ModelUnusable

TORCH = (".pt", ".bin", ".pth", ".ckpt")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
SINGLES = ("model.safetensors", "pytorch_model.bin")
_RANK = re.compile(r"mp_rank_(\d+)_model_states\.pt")
_TRAINING = {"training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"}
_REMEDY = "Give the folder or file that holds the weights; unpack archives first."


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFiles:
    """`ranks[i]` is the tensor-parallel rank of `files[i]`; all 0 where nothing is split."""

    folder: Path  # where config and tokenizer are looked for
    files: tuple[Path, ...]
    ranks: tuple[int, ...]

    @property
    def rank_count(self) -> int:
        return max(self.ranks) + 1


def find_source_files(source: Path) -> SourceFiles:
    """The weight files of a file or folder. Raises ModelUnusable, naming what is missing."""
    if source.is_file():
        if _RANK.fullmatch(source.name):
            return _parallel(source.parent, sorted(source.parent.glob("mp_rank_*")))
        if source.suffix != ".safetensors" and source.suffix not in TORCH:
            raise ModelUnusable(f"{source} is no weights file that is known.", remedy=_REMEDY)
        return _plain(source.parent, [source])
    if not source.is_dir():
        raise ModelUnusable(f"There is no {source}.", remedy=_REMEDY)
    for index in INDEXES:
        if (source / index).is_file():
            return _plain(source, _indexed(source / index))
    for single in SINGLES:
        if (source / single).is_file():
            return _plain(source, [source / single])
    files = sorted(file for file in source.iterdir() if file.is_file())
    parallel = [file for file in files if _RANK.fullmatch(file.name)]
    if parallel:
        return _parallel(source, parallel)
    for suffixes in ((".safetensors",), TORCH, (".npy",)):
        found = [f for f in files if f.suffix in suffixes and f.name not in _TRAINING]
        if found:
            return _plain(source, found)
    raise ModelUnusable(f"{source} holds no weights.", remedy=_REMEDY)


def _plain(folder: Path, files: list[Path]) -> SourceFiles:
    return SourceFiles(folder=folder, files=tuple(files), ranks=(0,) * len(files))


def _parallel(folder: Path, files: list[Path]) -> SourceFiles:
    matches = [(_RANK.fullmatch(file.name), file) for file in files]
    ranked = sorted((int(match[1]), file) for match, file in matches if match is not None)
    ranks = [rank for rank, _ in ranked]
    if ranks != list(range(len(ranks))):
        absent = sorted(set(range(ranks[-1] + 1)) - set(ranks))
        raise ModelUnusable(
            f"{folder} lacks mp_rank_{absent[0]:02d}_model_states.pt: every rank is needed."
            if absent
            else f"{folder} holds a rank twice."
        )
    return SourceFiles(folder=folder, files=tuple(f for _, f in ranked), ranks=tuple(ranks))


def _indexed(index: Path) -> list[Path]:
    try:
        weight_map: Any = json.loads(index.read_bytes())["weight_map"]
        names = sorted(set(weight_map.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelUnusable(f"{index} is not an index of weights.") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise ModelUnusable(f"{index} names the shard {name!r}, which is no file beside it.")
        if not (index.parent / name).is_file():
            raise ModelUnusable(f"{index.parent} lacks the shard {name}, which its index names.")
    if not names:
        raise ModelUnusable(f"{index} names no shards.")
    return [index.parent / name for name in names]
