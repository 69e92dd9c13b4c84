"""The image encoder's trunk: EVA2-CLIP-E's shape with its last layer dropped.

Unlike most ViTs the norms stand *after* each branch, and there is no norm at the end:
x + norm(attention(x)), then x + norm(mlp(x)). Source: EVA-CLIP (arXiv 2303.15389) and the
released code of CogVLM, which calls these norms `input_layernorm` and `post_attention_layernorm`.

Shapes: I images, P = 1 + n * n tokens (class token first), C width, H heads, E head width.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedConfig
from transformers.modeling_layers import GradientCheckpointingLayer

from glm_vision.models.attention import attend
from glm_vision.models.vision_tower_config import VisionTowerConfig


class PatchEmbedding(nn.Module):
    """Pixels (I, 3, S, S) to tokens (I, P, C): patches by rows, class token, learned positions."""

    def __init__(self, tower: VisionTowerConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(
            tower.in_channels,
            tower.hidden_size,
            kernel_size=tower.patch_size,
            stride=tower.patch_size,
        )
        self.cls_embedding = nn.Parameter(torch.zeros(1, tower.hidden_size))
        self.position_embedding = nn.Embedding(tower.num_positions, tower.hidden_size)

    def forward(self, pixels_I3SS: torch.Tensor) -> torch.Tensor:
        patches_INC = self.proj(pixels_I3SS).flatten(2).transpose(1, 2)
        class_I1C = self.cls_embedding.expand(len(patches_INC), 1, -1)
        tokens_IPC = torch.cat((class_I1C, patches_INC), dim=1)
        return tokens_IPC + self.position_embedding.weight


class EvaAttention(nn.Module):
    """Every token sees every token; no rotary positions."""

    def __init__(self, tower: VisionTowerConfig, config: PreTrainedConfig) -> None:
        super().__init__()
        self.config = config
        self.is_causal = False
        self.num_key_value_groups = 1
        self.heads = tower.num_heads
        self.query_key_value = nn.Linear(tower.hidden_size, tower.hidden_size * 3)
        self.dense = nn.Linear(tower.hidden_size, tower.hidden_size)

    def forward(self, x_IPC: torch.Tensor) -> torch.Tensor:
        fused = self.query_key_value(x_IPC).unflatten(-1, (3, self.heads, -1))
        query, key, value = fused.permute(2, 0, 3, 1, 4).unbind(0)  # each (I, H, P, E)
        context_IPC, _ = attend(self, self.config, query, key, value, None)
        out: torch.Tensor = self.dense(context_IPC)
        return out


class EvaMLP(nn.Module):
    def __init__(self, tower: VisionTowerConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(tower.hidden_size, tower.intermediate_size)
        self.fc2 = nn.Linear(tower.intermediate_size, tower.hidden_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.fc2(nn.functional.gelu(self.fc1(x)))  # exact, by erf
        return out


class EvaLayer(GradientCheckpointingLayer):  # type: ignore[no-untyped-call]
    def __init__(self, tower: VisionTowerConfig, config: PreTrainedConfig) -> None:
        super().__init__()
        self.attention = EvaAttention(tower, config)
        self.mlp = EvaMLP(tower)
        self.input_layernorm = nn.LayerNorm(tower.hidden_size, eps=tower.layer_norm_eps)
        self.post_attention_layernorm = nn.LayerNorm(tower.hidden_size, eps=tower.layer_norm_eps)

    def forward(self, x_IPC: torch.Tensor) -> torch.Tensor:
        x_IPC = x_IPC + self.input_layernorm(self.attention(x_IPC))
        out: torch.Tensor = x_IPC + self.post_attention_layernorm(self.mlp(x_IPC))
        return out


class EvaTransformer(nn.Module):
    def __init__(self, tower: VisionTowerConfig, config: PreTrainedConfig) -> None:
        super().__init__()
        layers = (EvaLayer(tower, config) for _ in range(tower.num_hidden_layers))
        self.layers = nn.ModuleList(layers)

    def forward(self, x_IPC: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x_IPC = layer(x_IPC)
        return x_IPC
