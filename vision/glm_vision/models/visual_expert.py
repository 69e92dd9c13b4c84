"""The visual expert: every projection of a language layer twice, one for image tokens.

Attention is joint: keys and values of both kinds of token stand in one causal sequence; only
the weights that make them differ. Source: CogVLM (arXiv 2311.03079), section 2.2.

Shapes: B rows, L tokens, D hidden, H query heads, K key heads, E head width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import Cache

from glm_vision.models.attention import Attended, attend
from glm_vision.models.expert_route import ExpertRoute
from glm_vision.models.rotary import Rotation, rotate

if TYPE_CHECKING:
    from glm_vision.models.cogvlm_config import CogVLMConfig


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)), no biases."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = nn.functional.silu(self.gate_proj(x)) * self.up_proj(x)
        out: torch.Tensor = self.down_proj(inner)
        return out


class VisualExpertMLP(nn.Module):
    def __init__(self, config: CogVLMConfig) -> None:
        super().__init__()
        self.language_mlp = SwiGLU(config.hidden_size, config.intermediate_size)
        self.vision_mlp = SwiGLU(config.hidden_size, config.intermediate_size)

    def forward(self, x_BLD: torch.Tensor, route: ExpertRoute) -> torch.Tensor:
        return route.apply(x_BLD, vision=self.vision_mlp, language=self.language_mlp)


class VisualExpertAttention(nn.Module):
    """Fused rows are [q | k | v]; CogVLM2 has fewer key heads and a bias in the vision one."""

    def __init__(self, config: CogVLMConfig, layer_idx: int) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.is_causal = True
        self.num_key_value_groups = config.num_attention_heads // config.num_key_value_heads
        width = config.hidden_size
        self.head_width = width // config.num_attention_heads
        key_width = self.head_width * config.num_key_value_heads
        self.split = [width, key_width, key_width]
        fused = sum(self.split)
        self.vision_expert_query_key_value = nn.Linear(
            width, fused, bias=config.vision_expert_qkv_bias
        )
        self.vision_expert_dense = nn.Linear(width, width, bias=False)
        self.language_expert_query_key_value = nn.Linear(width, fused, bias=False)
        self.language_expert_dense = nn.Linear(width, width, bias=False)

    def forward(
        self,
        x_BLD: torch.Tensor,
        *,
        route: ExpertRoute,
        rotation: Rotation,
        mask: torch.Tensor | None,
        cache: Cache | None,
    ) -> Attended:
        fused = route.apply(
            x_BLD,
            vision=self.vision_expert_query_key_value,
            language=self.language_expert_query_key_value,
        )
        query, key, value = (
            part.reshape(*part.shape[:2], -1, self.head_width).transpose(1, 2)
            for part in torch.split(fused, self.split, dim=-1)
        )
        query_BHLE, key_BKSE = rotate(query, rotation), rotate(key, rotation)
        if cache is not None:
            key_BKSE, value = cache.update(key_BKSE, value, self.layer_idx)
        context_BLD, weights = attend(self, self.config, query_BHLE, key_BKSE, value, mask)
        out_BLD = route.apply(
            context_BLD, vision=self.vision_expert_dense, language=self.language_expert_dense
        )
        return out_BLD, weights
