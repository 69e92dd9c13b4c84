"""nano-code's network, run over rows of several pairs; same weights, same names."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from recipes.nano_code.model import Layer, NanoGlm, rotate


def _attend(layer: Layer, x_BTD: Tensor, mask_B1TT: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    attention = layer.self_attn
    B, T, D = x_BTD.shape
    size = attention.config.head_size
    groups = attention.config.heads // attention.config.key_value_heads
    q_BHTE = attention.q_proj(x_BTD).view(B, T, -1, size).transpose(1, 2)
    k_BKTE = attention.k_proj(x_BTD).view(B, T, -1, size).transpose(1, 2)
    v_BKTE = attention.v_proj(x_BTD).view(B, T, -1, size).transpose(1, 2)
    q_BHTE, k_BKTE = rotate(q_BHTE, cos, sin), rotate(k_BKTE, cos, sin)
    y_BHTE = F.scaled_dot_product_attention(
        q_BHTE,
        k_BKTE.repeat_interleave(groups, dim=1),
        v_BKTE.repeat_interleave(groups, dim=1),
        attn_mask=mask_B1TT,
    )
    y_BTD: Tensor = attention.o_proj(y_BHTE.transpose(1, 2).reshape(B, T, D))
    return y_BTD


def hidden(model: NanoGlm, tokens_BT: Tensor, pair_BT: Tensor) -> Tensor:
    """Last hidden states; attention is causal and stays inside a pair."""
    T = tokens_BT.shape[1]
    cos, sin = model.get_buffer("cos")[:T], model.get_buffer("sin")[:T]
    causal = torch.ones(T, T, dtype=torch.bool, device=tokens_BT.device).tril()
    mask = (pair_BT[:, :, None] == pair_BT[:, None, :]) & causal
    x_BTD = model.model.embed_tokens(tokens_BT)
    for layer in model.model.layers:
        assert isinstance(layer, Layer)
        x_BTD = x_BTD + _attend(layer, layer.input_layernorm(x_BTD), mask[:, None], cos, sin)
        x_BTD = x_BTD + layer.mlp(layer.post_attention_layernorm(x_BTD))
    normed: Tensor = model.model.norm(x_BTD)
    return normed


def answer_loss(
    model: NanoGlm, tokens_BT: Tensor, pair_BT: Tensor, places_K: Tensor, targets_K: Tensor,
    weights_K: Tensor,
) -> Tensor:  # fmt: skip
    """Mean loss in nats over the answers' tokens; logits are computed for those alone."""
    with torch.autocast(tokens_BT.device.type, dtype=torch.bfloat16):
        x_KD = hidden(model, tokens_BT, pair_BT).flatten(0, 1)[places_K]
        logits_KV = F.linear(x_KD, model.model.embed_tokens.weight)
    losses_K = F.cross_entropy(logits_KV.float(), targets_K, reduction="none")
    return (losses_K * weights_K).sum() / weights_K.sum().clamp_min(1.0)
