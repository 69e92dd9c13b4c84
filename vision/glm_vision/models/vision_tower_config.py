"""`vision_config` of a config.json, checked: sizes of the image encoder.

The file's field names are kept (`num_heads`, `in_channels`), which are not transformers' usual
ones. Lengths of sides are in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class VisionTowerConfig:
    """Raises ValueError where sizes do not fit each other or a value is not supported."""

    hidden_size: int = 1792
    intermediate_size: int = 15360
    num_hidden_layers: int = 63
    num_heads: int = 16
    in_channels: int = 3
    patch_size: int = 14
    image_size: int = 490
    num_positions: int = 1226
    layer_norm_eps: float = 1e-6
    hidden_act: str = "gelu"
    dropout_prob: float = 0.0
    scaling_factor: float = 1.0  # by which finished slots are divided (GLM-4V-9B)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.type == "int"
            if whole and (type(value) is not int or value < 1):
                raise ValueError(f"vision_config.{field.name} must be a positive integer")
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size {self.image_size} is no multiple of {self.patch_size}")
        if self.num_positions != self.grid**2 + 1:
            raise ValueError(f"num_positions {self.num_positions} is not {self.grid}² + 1")
        if self.hidden_size % self.num_heads:
            raise ValueError(f"hidden_size {self.hidden_size} does not split into heads")
        if not self.scaling_factor > 0:
            raise ValueError("vision_config.scaling_factor must be positive")
        if self.hidden_act != "gelu" or self.dropout_prob != 0:
            raise ValueError("only hidden_act 'gelu' and dropout_prob 0 are supported")

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> VisionTowerConfig:
        """Unknown keys are left out; missing ones are CogVLM-17B's."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in raw.items() if key in known})

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image_size // self.patch_size

    def to_json(self) -> dict[str, Any]:
        """As a file has it: released ones name the factor only where there is one."""
        words = asdict(self)
        if self.scaling_factor == 1:
            del words["scaling_factor"]
        return words
