"""How a folder's matrices are quantised, as its config.json says it. No tensors, no torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONFIG_KEY = "glm_quantization"
SCALE_SUFFIX = "_scale"  # of the tensor beside a quantised one


@dataclass(frozen=True, kw_only=True, slots=True)
class QuantizationScheme:
    """How a folder's matrices are quantised. `group_size` 0: a whole row is a group."""

    bits: int
    group_size: int = 0

    def __post_init__(self) -> None:
        if self.bits not in (4, 8):
            raise ValueError(f"bits must be 4 or 8, not {self.bits!r}")
        if not isinstance(self.group_size, int) or self.group_size < 0:
            raise ValueError(f"group_size must be 0 or a positive integer, not {self.group_size!r}")

    @property
    def largest(self) -> int:
        return 127 if self.bits == 8 else 7

    def to_config(self) -> dict[str, int]:
        return {"bits": self.bits, "group_size": self.group_size}

    @classmethod
    def from_config(cls, raw: Mapping[str, Any]) -> QuantizationScheme:
        """The value of `glm_quantization`. Raises ValueError on anything else."""
        if set(raw) - {"bits", "group_size"} or "bits" not in raw:
            raise ValueError(f"glm_quantization must hold bits and group_size, not {sorted(raw)}")
        return cls(bits=raw["bits"], group_size=raw.get("group_size", 0))
