"""config.json of CogVLM-17B: flat language keys and one `vision_config` object.

The released file has no `model_type` and names its class through `auto_map`, which is never
followed here. Source: CogVLM (arXiv 2311.03079).
"""

from __future__ import annotations

from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from glm_vision.models.vision_tower_config import VisionTowerConfig


@strict
class CogVLMConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Defaults are CogVLM-17B's (Vicuna-7B and EVA2-CLIP-E). ValueError on sizes that clash."""

    model_type = "cogvlm"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]
    # What the released code fixes per architecture instead of reading it from the file.
    vision_expert_qkv_bias: ClassVar[bool] = False
    downsample: ClassVar[bool] = False
    patch_positions: ClassVar[bool] = False
    default_vision_config: ClassVar[dict[str, Any]] = {}
    sizes: ClassVar[tuple[str, ...]] = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
    )

    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    hidden_act: str = "silu"
    max_position_embeddings: int = 2048
    initializer_range: float | int = 0.02
    rms_norm_eps: float | int = 1e-6
    rope_theta: float | int = 10000.0
    template_version: str = "chat"
    use_cache: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 2
    tie_word_embeddings: bool = False
    vision_config: dict[str, Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        raw = self.default_vision_config if self.vision_config is None else self.vision_config
        self.vision_config = VisionTowerConfig.read(raw).to_json()
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]

    def validate_architecture(self) -> None:
        """Called by the strict base once the fields are set. Raises ValueError."""
        for name in self.sizes:
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise ValueError(f"{name} must be a positive integer")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"hidden_size {self.hidden_size} does not split into heads")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(f"{self.num_key_value_heads} key heads do not divide the query heads")
        if self.hidden_act != "silu":
            raise ValueError(f"hidden_act must be 'silu', not {self.hidden_act!r}")
        if self.downsample and self.tower.grid % 2:
            raise ValueError(f"an odd grid of {self.tower.grid} patches cannot be halved")

    @property
    def tower(self) -> VisionTowerConfig:
        return VisionTowerConfig.read(self.vision_config or {})

    @property
    def num_key_value_heads(self) -> int:
        return self.num_attention_heads

    @property
    def image_slots(self) -> int:
        """Tokens that one image takes, borders included."""
        side = self.tower.grid // 2 if self.downsample else self.tower.grid
        return side * side + 2
