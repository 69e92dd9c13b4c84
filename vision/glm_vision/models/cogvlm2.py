"""CogVLM2-Llama3-19B: CogVLM's experts in Llama-3, grouped keys, patches downsampled by two.

Source: CogVLM2 (arXiv 2408.16500).
"""

from __future__ import annotations

from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict

from glm_vision.models.cogvlm import CogVLMForCausalLM, CogVLMModel
from glm_vision.models.cogvlm_config import CogVLMConfig


@strict
class CogVLM2Config(CogVLMConfig):  # type: ignore[no-untyped-call]
    """Defaults are CogVLM2-Llama3-19B's. The rotary base is not in the released file."""

    model_type = "cogvlm2"
    vision_expert_qkv_bias: ClassVar[bool] = True
    downsample: ClassVar[bool] = True
    default_vision_config: ClassVar[dict[str, Any]] = {"image_size": 1344, "num_positions": 9217}

    vocab_size: int = 128256
    intermediate_size: int = 14336
    max_position_embeddings: int = 8192
    rms_norm_eps: float | int = 1e-5
    rope_theta: float | int = 500000.0
    num_multi_query_heads: int = 8
    pad_token_id: int | None = 128002
    bos_token_id: int | None = 128000
    eos_token_id: int | list[int] | None = 128001

    @property
    def num_key_value_heads(self) -> int:
        return self.num_multi_query_heads


class CogVLM2Model(CogVLMModel):  # type: ignore[no-untyped-call]
    config_class = CogVLM2Config


class CogVLM2ForCausalLM(CogVLMForCausalLM):  # type: ignore[no-untyped-call]
    config_class = CogVLM2Config
