"""A safetensors file written a tensor at a time, so that it need never be in memory whole."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class LazyTensor:
    """A tensor that is made when its turn comes. `kind` as safetensors calls it."""

    name: str
    kind: str
    shape: tuple[int, ...]
    make: Callable[[], NDArray[Any]]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * _BYTES[self.kind]


def write_tensors(file: Path, tensors: Sequence[LazyTensor]) -> None:
    """Write `file`, whole or not at all."""
    header: dict[str, Any] = {}
    place = 0
    for one in tensors:
        header[one.name] = {
            "dtype": one.kind, "shape": list(one.shape), "data_offsets": [place, place + one.nbytes]
        }  # fmt: skip
        place += one.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    part = file.with_suffix(".part")
    with part.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for one in tensors:
            made = one.make()
            assert made.nbytes == one.nbytes, f"{one.name} is not of the size that was said"
            made.tofile(out)
    part.replace(file)
