"""GLM-4-9B's language layers under the names of its released weights (`transformer.encoder…`).

Fused rows are [q | k | v], few key heads, biases on these alone; the first half of each head is
rotated by adjacent pairs; the gate comes before the other half of the MLP's first matrix.
Source: GLM-4 (arXiv 2406.12793) and its released code.

Shapes: B rows, L tokens, D hidden, H query heads, K key heads, E head width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import Cache
from transformers.modeling_layers import GradientCheckpointingLayer

from glm_vision.models.attention import Attended, attend
from glm_vision.models.rms_norm import RMSNorm

if TYPE_CHECKING:
    from glm_vision.models.glm4v_9b import GLM4V9BConfig

Rotation = tuple[torch.Tensor, torch.Tensor]


class ChatGLMAttention(nn.Module):
    def __init__(self, config: GLM4V9BConfig, layer_idx: int) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.is_causal = True
        self.num_key_value_groups = config.num_attention_heads // config.num_key_value_heads
        queries = config.num_attention_heads * config.kv_channels
        keys = config.num_key_value_heads * config.kv_channels
        self.split = [queries, keys, keys]
        self.query_key_value = nn.Linear(
            config.hidden_size, sum(self.split), bias=config.add_qkv_bias
        )
        self.dense = nn.Linear(queries, config.hidden_size, bias=False)

    def forward(
        self,
        x_BLD: torch.Tensor,
        *,
        rotation: Rotation,
        mask: torch.Tensor | None,
        cache: Cache | None,
    ) -> Attended:
        query, key, value = (
            part.reshape(*part.shape[:-1], -1, self.config.kv_channels).transpose(1, 2)
            for part in torch.split(self.query_key_value(x_BLD), self.split, dim=-1)
        )
        query_BHLE, key_BKSE = rotate_pairs(query, rotation), rotate_pairs(key, rotation)
        if cache is not None:
            key_BKSE, value = cache.update(key_BKSE, value, self.layer_idx)
        context, weights = attend(self, self.config, query_BHLE, key_BKSE, value, mask)
        return self.dense(context), weights


class ChatGLMMLP(nn.Module):
    def __init__(self, config: GLM4V9BConfig) -> None:
        super().__init__()
        inner = config.ffn_hidden_size
        self.dense_h_to_4h = nn.Linear(config.hidden_size, 2 * inner, bias=False)
        self.dense_4h_to_h = nn.Linear(inner, config.hidden_size, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, up = self.dense_h_to_4h(x).chunk(2, dim=-1)
        out: torch.Tensor = self.dense_4h_to_h(nn.functional.silu(gate) * up)
        return out


class ChatGLMLayer(GradientCheckpointingLayer):  # type: ignore[no-untyped-call]
    """(B, L, D) to (B, L, D)."""

    def __init__(self, config: GLM4V9BConfig, layer_idx: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, eps=config.layernorm_epsilon)
        self.self_attention = ChatGLMAttention(config, layer_idx)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, eps=config.layernorm_epsilon)
        self.mlp = ChatGLMMLP(config)

    def forward(
        self,
        x_BLD: torch.Tensor,
        *,
        rotation: Rotation,
        mask: torch.Tensor | None,
        past_key_values: Cache | None = None,
    ) -> torch.Tensor:
        attended_BLD, _ = self.self_attention(
            self.input_layernorm(x_BLD), rotation=rotation, mask=mask, cache=past_key_values
        )
        x_BLD = x_BLD + attended_BLD
        out: torch.Tensor = x_BLD + self.mlp(self.post_attention_layernorm(x_BLD))
        return out


def half_rotation(
    positions_BL: torch.Tensor, *, width: int, base: float, dtype: torch.dtype
) -> Rotation:
    """Cosine and sine (B, 1, L, width / 4) for the first half of heads that are `width` wide."""
    rotated = width // 2
    steps = torch.arange(0, rotated, 2, device=positions_BL.device, dtype=torch.float32)
    angles_B1Lr = (positions_BL.float()[..., None] * base ** (-steps / rotated))[:, None]
    return angles_B1Lr.cos().to(dtype), angles_B1Lr.sin().to(dtype)


def rotate_pairs(x_BHLE: torch.Tensor, by: Rotation) -> torch.Tensor:
    """Turn adjacent pairs of the first half of every head; the rest stays."""
    cosine, sine = by
    turned, rest = x_BHLE.chunk(2, dim=-1)
    first, second = turned.reshape(*turned.shape[:-1], -1, 2).unbind(-1)
    pairs = torch.stack((first * cosine - second * sine, second * cosine + first * sine), dim=-1)
    return torch.cat((pairs.flatten(-2), rest), dim=-1)
