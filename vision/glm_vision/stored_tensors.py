"""The tensors of a checkpoint's files against what a model expects.

Nothing is read before names and shapes of every tensor are right. Which files there are is
`glm_runtime.weight_files`' business. Matrices stored as 8 bits with scales beside them
(`QuantizedWeight`) are multiplied out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from glm_protocol.errors import ModelUnusable
from glm_runtime.quantized_weight import SCALE_SUFFIX, QuantizationScheme, QuantizedWeight
from glm_runtime.safetensors_header import read_header


def check_names(
    files: list[Path],
    wanted: Mapping[str, torch.Size],
    *,
    optional: set[str],
    ignored: Collection[str] = (),
) -> None:
    """Every wanted tensor once, in its shape, and no other but those whose names match `ignored`.

    Raises ModelUnusable.
    """
    found: dict[str, tuple[int, ...]] = {}
    for file in files:
        for stored in read_header(file):
            if stored.name in found:
                raise ModelUnusable(f"{file}: {stored.name} is in two shards.")
            found[stored.name] = stored.shape
    found = {
        name: shape
        for name, shape in found.items()
        if not (name.endswith(SCALE_SUFFIX) and name.removesuffix(SCALE_SUFFIX) in found)
    }
    folder = files[0].parent
    missing = sorted(set(wanted) - set(found) - optional)
    foreign = sorted(
        name
        for name in set(found) - set(wanted)
        if not any(re.search(pattern, name) for pattern in ignored)
    )
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


def tensors(
    files: list[Path], wanted: Collection[str], scheme: QuantizationScheme | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """Every wanted tensor, mapped from its file where it stays on the CPU. Raises ModelUnusable.

    With `scheme`, the matrices that have scales come multiplied out, as fp32.
    """
    for file in files:
        try:
            with safe_open(file, framework="pt", device="cpu") as stored:
                names = set(stored.keys())
                for name in sorted(names & set(wanted)):
                    scaled = scheme is not None and name + SCALE_SUFFIX in names
                    if scaled and scheme is not None:
                        pair = {key: stored.get_tensor(key) for key in (name, name + SCALE_SUFFIX)}
                        weight = QuantizedWeight.from_tensors(pair, name, scheme)
                        yield name, weight.dequantize(torch.float32)
                    else:
                        yield name, stored.get_tensor(name)
        except (SafetensorError, OSError, ValueError) as error:
            raise ModelUnusable(f"The weights file {file} cannot be read ({error}).") from error
