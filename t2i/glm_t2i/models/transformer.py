"""The Sandwich-LN transformer that CogView and CogView2 share.

A block, with x the residual stream (CogView, arXiv 2105.13290, section 2.4):

    x = x + LN3(Attention(LN1(x)));   x = x + LN4(MLP(LN2(x)))

and one more LN after the last block. LN1 is `input_layernorm`, LN2 `post_attention_layernorm`,
LN3 `third_layernorm`, LN4 `fourth_layernorm`. What attends to what is the model's business: it
gives the blocks a function.

Legend of the suffixes: B batch, T tokens, E hidden width, H heads, D width of one head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from glm_t2i.models.layer_norm import SandwichLayerNorm

# (layer, the layer's attention, normed input [B, T, E]) -> what the layer adds, [B, T, E]
Attend = Callable[[int, "SelfAttention", torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformerConfig:
    """Sizes of a network. `num_image_tokens` codes come first in the vocabulary."""

    num_layers: int
    hidden_size: int
    num_attention_heads: int
    vocab_size: int
    max_sequence_length: int
    num_image_tokens: int
    layernorm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not divisible by "
                f"num_attention_heads {self.num_attention_heads}"
            )
        if self.num_image_tokens > self.vocab_size:
            raise ValueError("num_image_tokens is larger than vocab_size")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelOutput:
    """`logits` [B, T, vocabulary or codes]; `hidden_states` as asked for: the embedding, then
    the residual stream after each block, each [B, T, E]."""

    logits: torch.Tensor
    hidden_states: tuple[torch.Tensor, ...] = ()


class SelfAttention(nn.Module):
    """The two projections of a layer. Queries, keys and values are three thirds, each with its
    heads side by side."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def project(self, x_BTE: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """q, k, v, each [B, H, T, D]."""
        return split_heads(self.query_key_value(x_BTE), self.heads)

    def join(self, mixed_BHTD: torch.Tensor) -> torch.Tensor:
        """The heads side by side again, through the output projection: [B, T, E]."""
        return torch.as_tensor(self.dense(join_heads(mixed_BHTD)))


def split_heads(
    qkv_BT3E: torch.Tensor, heads: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A fused projection [B, T, 3E] as q, k, v, each [B, H, T, D]."""
    batch, tokens, width = qkv_BT3E.shape
    q, k, v = qkv_BT3E.view(batch, tokens, 3, heads, width // (3 * heads)).permute(2, 0, 3, 1, 4)
    return q, k, v


def join_heads(x_BHTD: torch.Tensor) -> torch.Tensor:
    """[B, H, T, D] as [B, T, E]."""
    return x_BHTD.transpose(1, 2).flatten(2)


class FeedForward(nn.Module):
    """h -> 4h -> h with the tanh approximation of GELU."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.dense_h_to_4h = nn.Linear(config.hidden_size, 4 * config.hidden_size)
        self.dense_4h_to_h = nn.Linear(4 * config.hidden_size, config.hidden_size)

    def forward(self, x_BTE: torch.Tensor) -> torch.Tensor:
        inner = F.gelu(self.dense_h_to_4h(x_BTE), approximate="tanh")
        return torch.as_tensor(self.dense_4h_to_h(inner))


class Block(nn.Module):
    """One layer, see the head of the file."""

    def __init__(self, config: TransformerConfig, *, prescaled_norm: bool) -> None:
        super().__init__()

        def norm() -> SandwichLayerNorm:
            return SandwichLayerNorm(
                config.hidden_size, eps=config.layernorm_eps, prescaled=prescaled_norm
            )

        self.input_layernorm = norm()
        self.attention = SelfAttention(config)
        self.post_attention_layernorm = norm()
        self.third_layernorm = norm()
        self.fourth_layernorm = norm()
        self.mlp = FeedForward(config)

    def forward(self, x_BTE: torch.Tensor, layer: int, attend: Attend) -> torch.Tensor:
        mixed_BTE = attend(layer, self.attention, self.input_layernorm(x_BTE))
        x_BTE = x_BTE + self.third_layernorm(mixed_BTE)
        return x_BTE + torch.as_tensor(
            self.fourth_layernorm(self.mlp(self.post_attention_layernorm(x_BTE)))
        )


class Transformer(nn.Module):
    """Positions, blocks and the last norm; CogView2 keeps its word embeddings here as well."""

    def __init__(
        self, config: TransformerConfig, *, prescaled_norm: bool, holds_words: bool
    ) -> None:
        super().__init__()
        if holds_words:
            self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_sequence_length, config.hidden_size)
        self.layers = nn.ModuleList(
            Block(config, prescaled_norm=prescaled_norm) for _ in range(config.num_layers)
        )
        self.final_layernorm = SandwichLayerNorm(
            config.hidden_size, eps=config.layernorm_eps, prescaled=prescaled_norm
        )

    def run(
        self, x_BTE: torch.Tensor, attend: Attend, *, keep_hidden: bool = False
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """(the last norm's output [B, T, E], the stream before and after each block if kept)."""
        kept = [x_BTE] if keep_hidden else []
        for layer, block in enumerate(self.layers):
            x_BTE = block(x_BTE, layer, attend)
            if keep_hidden:
                kept.append(x_BTE)
        return self.final_layernorm(x_BTE), tuple(kept)


def checked_ids(
    input_ids: torch.Tensor, *, vocabulary: int, name: str = "input_ids"
) -> torch.Tensor:
    """Ids as int64 [B, T]; [T] becomes [1, T]. Raises ValueError out of range or shape."""
    if input_ids.ndim == 1:
        input_ids = input_ids[None]
    if input_ids.ndim != 2 or input_ids.is_floating_point() or input_ids.numel() == 0:
        raise ValueError(f"{name} must be integers of shape [batch, tokens], and not empty")
    low, high = (int(bound) for bound in torch.aminmax(input_ids))
    if low < 0 or high >= vocabulary:
        raise ValueError(f"{name} holds {low}..{high}; allowed are 0..{vocabulary - 1}")
    return input_ids.to(torch.int64)
