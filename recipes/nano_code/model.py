"""The GLM network as training needs it: plain, causal, no cache; names are those of transformers.

`state_dict()` loads into `GlmForCausalLM` as it is (a test compares the logits), so export is a
copy. Shapes: B rows, T tokens, D hidden, H heads, K key-value heads, E head size, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class NanoConfig:
    """Sizes of the network; the defaults are nano-code's."""

    vocab_size: int = 8192
    hidden_size: int = 256
    layers: int = 8
    heads: int = 4
    key_value_heads: int = 2
    intermediate_size: int = 640
    rotary_factor: float = 0.5
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5
    max_positions: int = 8192

    def __post_init__(self) -> None:
        """Heads must share the hidden size and the key-value heads evenly."""
        if self.hidden_size % self.heads or self.heads % self.key_value_heads:
            raise ValueError("heads must divide hidden_size, key_value_heads must divide heads")

    @property
    def head_size(self) -> int:
        """E."""
        return self.hidden_size // self.heads

    def as_transformers(self) -> dict[str, Any]:
        """The same network as the keys of a `glm` config.json."""
        return {
            "architectures": ["GlmForCausalLM"],
            "model_type": "glm",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_value_heads,
            "head_dim": self.head_size,
            "intermediate_size": self.intermediate_size,
            "hidden_act": "silu",
            "attention_bias": True,
            "attention_dropout": 0.0,
            "partial_rotary_factor": self.rotary_factor,
            "rope_theta": self.rope_theta,
            "rms_norm_eps": self.norm_eps,
            "max_position_embeddings": self.max_positions,
            "tie_word_embeddings": True,
            "initializer_range": 0.02,
            "use_cache": True,
        }


class RMSNorm(nn.Module):
    """Root-mean-square norm, computed in fp32."""

    def __init__(self, size: int, eps: float) -> None:
        """`size` is the last dimension."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Same shape and type as the input."""
        x = x_BTD.float()
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)
        return (self.weight * x).to(x_BTD.dtype)


def rotary_tables(config: NanoConfig, length: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine [T, R/2] for the R rotated dimensions of a head."""
    rotated = int(config.head_size * config.rotary_factor)
    frequency = 1.0 / config.rope_theta ** (torch.arange(0, rotated, 2).float() / rotated)
    angle = torch.outer(torch.arange(length).float(), frequency)
    return angle.cos(), angle.sin()


def rotate(x_BHTE: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate pairs of neighbouring dimensions in the first part of each head."""
    rotated = 2 * cos.shape[-1]
    x, rest = x_BHTE[..., :rotated], x_BHTE[..., rotated:]
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = torch.stack((even * cos - odd * sin, odd * cos + even * sin), dim=-1).flatten(-2)
    return torch.cat((turned.to(x_BHTE.dtype), rest), dim=-1)


class Attention(nn.Module):
    """Causal attention with grouped key-value heads."""

    def __init__(self, config: NanoConfig) -> None:
        """Biases on q, k and v only, as GLM has them."""
        super().__init__()
        self.config = config
        width = config.key_value_heads * config.head_size
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.k_proj = nn.Linear(config.hidden_size, width)
        self.v_proj = nn.Linear(config.hidden_size, width)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, x_BTD: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """[B, T, D] to [B, T, D]."""
        B, T, D = x_BTD.shape
        size, groups = self.config.head_size, self.config.heads // self.config.key_value_heads
        q_BHTE = self.q_proj(x_BTD).view(B, T, -1, size).transpose(1, 2)
        k_BKTE = self.k_proj(x_BTD).view(B, T, -1, size).transpose(1, 2)
        v_BKTE = self.v_proj(x_BTD).view(B, T, -1, size).transpose(1, 2)
        q_BHTE, k_BKTE = rotate(q_BHTE, cos, sin), rotate(k_BKTE, cos, sin)
        k_BHTE = k_BKTE.repeat_interleave(groups, dim=1)
        v_BHTE = v_BKTE.repeat_interleave(groups, dim=1)
        y_BHTE = F.scaled_dot_product_attention(q_BHTE, k_BHTE, v_BHTE, is_causal=True)
        y_BTD: Tensor = self.o_proj(y_BHTE.transpose(1, 2).reshape(B, T, D))
        return y_BTD


class FeedForward(nn.Module):
    """SwiGLU with gate and up in one matrix, gate first."""

    def __init__(self, config: NanoConfig) -> None:
        """No biases."""
        super().__init__()
        self.gate_up_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """[B, T, D] to [B, T, D]."""
        gate, up = self.gate_up_proj(x_BTD).chunk(2, dim=-1)
        y_BTD: Tensor = self.down_proj(F.silu(gate) * up)
        return y_BTD


class Layer(nn.Module):
    """Attention and feed-forward, each behind a norm and a residual."""

    def __init__(self, config: NanoConfig) -> None:
        """One layer."""
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.norm_eps)
        self.mlp = FeedForward(config)

    def forward(self, x_BTD: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """[B, T, D] to [B, T, D]."""
        x_BTD = x_BTD + self.self_attn(self.input_layernorm(x_BTD), cos, sin)
        y_BTD: Tensor = x_BTD + self.mlp(self.post_attention_layernorm(x_BTD))
        return y_BTD


class Stack(nn.Module):
    """Embedding, layers and final norm; `model.` in the names."""

    def __init__(self, config: NanoConfig) -> None:
        """Build all layers."""
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.hidden_size, config.norm_eps)


class NanoGlm(nn.Module):
    """The whole network; the output matrix is the embedding."""

    def __init__(self, config: NanoConfig) -> None:
        """Random weights: normal 0.02, and zeros where a residual branch ends."""
        super().__init__()
        self.config = config
        self.model = Stack(config)
        cos, sin = rotary_tables(config, 1024)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, parameter in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight", ".bias")):
                nn.init.zeros_(parameter)
            elif parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits [B, T, V] of token ids [B, T]; T is 1,024 at most."""
        T = tokens_BT.shape[1]
        cos, sin = self.get_buffer("cos")[:T], self.get_buffer("sin")[:T]
        x_BTD = self.model.embed_tokens(tokens_BT)
        for layer in self.model.layers:
            x_BTD = layer(x_BTD, cos, sin)
        return F.linear(self.model.norm(x_BTD), self.model.embed_tokens.weight)


def weighted_loss(logits_BTV: Tensor, targets_BT: Tensor, weights_BT: Tensor) -> Tensor:
    """Mean cross-entropy in nats, each target counting by its weight."""
    losses = F.cross_entropy(
        logits_BTV.flatten(0, 1).float(), targets_BT.flatten(), reduction="none"
    )
    weights = weights_BT.flatten()
    return (losses * weights).sum() / weights.sum().clamp_min(1e-6)
