"""One layer of the language model with visual experts; the two norms serve both experts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import Cache
from transformers.modeling_layers import GradientCheckpointingLayer

from glm_vision.models.cross_attention import CrossStates
from glm_vision.models.expert_route import ExpertRoute
from glm_vision.models.rms_norm import RMSNorm
from glm_vision.models.rotary import Rotation
from glm_vision.models.visual_expert import VisualExpertAttention, VisualExpertMLP

if TYPE_CHECKING:
    from glm_vision.models.cogvlm_config import CogVLMConfig


class VisualExpertLayer(GradientCheckpointingLayer):  # type: ignore[no-untyped-call]
    """(B, L, D) to (B, L, D)."""

    def __init__(self, config: CogVLMConfig, layer_idx: int) -> None:
        super().__init__()
        self.self_attn = VisualExpertAttention(config, layer_idx)
        self.mlp = VisualExpertMLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(
        self,
        x_BLD: torch.Tensor,
        *,
        route: ExpertRoute,
        rotation: Rotation,
        mask: torch.Tensor | None,
        past_key_values: Cache | None = None,
        cross: CrossStates | None = None,
    ) -> torch.Tensor:
        attended_BLD, _ = self.self_attn(
            self.input_layernorm(x_BLD),
            route=route,
            rotation=rotation,
            mask=mask,
            cache=past_key_values,
        )
        x_BLD = self.look_closer(x_BLD + attended_BLD, cross)
        out: torch.Tensor = x_BLD + self.mlp(self.post_attention_layernorm(x_BLD), route)
        return out

    def look_closer(self, x_BLD: torch.Tensor, cross: CrossStates | None) -> torch.Tensor:
        """What a layer does between attention and MLP; here nothing."""
        assert cross is None, "these layers have one encoder"
        return x_BLD
