"""The model's forward for training: same weights, same numbers, a fixed layout and no gathers.

Every row holds one picture and several questions about it, side by side: each question sees the
picture and itself alone, and stands at the positions it would have by itself. Vision tokens come
first, so that each expert takes one slice; the mask, not the order, says who sees whom. Equal to
`CogVLMForCausalLM.forward` (a test compares them).

Shapes: B rows, V vision tokens (boi and patches), T text tokens, L = V + 2 + T (after the vision
tokens bos and eoi), D hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.models.rotary import rotate, rotation
from recipes.nano_vision.tokenizer import BOS

TEXT_START = 4  # position of the first text token: bos 0, boi 1, patches 2, eoi 3
NO_SEGMENT = -1  # padding


def visible(segments_BT: Tensor, vision: int) -> Tensor:
    """Bool (B, 1, L, L): which key each query sees. `segments` number a row's questions."""
    B, T = segments_BT.shape
    L = vision + 2 + T
    seen = torch.zeros(B, L, L, dtype=torch.bool, device=segments_BT.device)
    bos, eoi, text = vision, vision + 1, vision + 2
    seen[:, :vision, :vision] = torch.ones(vision, vision, dtype=torch.bool).tril()
    seen[:, :, bos] = True
    seen[:, eoi, : eoi + 1] = True
    seen[:, text:, :text] = True
    same = segments_BT[:, :, None] == segments_BT[:, None, :]
    seen[:, text:, text:] = same.tril()
    return seen[:, None]


def positions(starts_BT: Tensor, vision: int) -> Tensor:
    """(B, L) rotary positions; `starts` counts tokens within their question."""
    B = len(starts_BT)
    fixed = torch.full((vision + 2,), 2, dtype=torch.long, device=starts_BT.device)
    fixed[0], fixed[vision], fixed[vision + 1] = 1, 0, 3
    return torch.cat((fixed.expand(B, -1), starts_BT + TEXT_START), dim=1)


def logits_of(
    model: CogVLMForCausalLM,
    pixels_B3SS: Tensor,
    tokens_BT: Tensor,
    segments_BT: Tensor,
    starts_BT: Tensor,
) -> tuple[Tensor, Tensor]:
    """Logits (B, T, vocabulary) after each text token, and (B, patches, vocabulary) of the
    adapter's features read as if they were words."""
    inner = model.model
    slots_BND = inner.vision(pixels_B3SS)
    vision = slots_BND.shape[1] - 1
    words_BTD = inner.embed_tokens(tokens_BT)
    bos_B1D = inner.embed_tokens(torch.full_like(tokens_BT[:, :1], BOS))
    x = torch.cat(
        (slots_BND[:, :vision], bos_B1D.to(slots_BND.dtype), slots_BND[:, vision:],
         words_BTD.to(slots_BND.dtype)), dim=1
    )  # fmt: skip
    mask = visible(segments_BT, vision)
    heads = model.config.num_attention_heads
    turned = rotation(
        positions(starts_BT, vision),
        width=model.config.hidden_size // heads,
        base=model.config.rope_theta,
        dtype=x.dtype,
    )
    for layer in inner.layers:
        attention, mlp = layer.self_attn, layer.mlp
        normed = layer.input_layernorm(x)
        fused = _both(
            normed,
            vision,
            attention.vision_expert_query_key_value,
            attention.language_expert_query_key_value,
        )
        query, key, value = (
            part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in fused.chunk(3, dim=-1)
        )
        context = nn.functional.scaled_dot_product_attention(
            rotate(query, turned), rotate(key, turned), value, attn_mask=mask
        )
        x = x + _both(
            context.transpose(1, 2).flatten(2),
            vision,
            attention.vision_expert_dense,
            attention.language_expert_dense,
        )
        normed = layer.post_attention_layernorm(x)
        x = x + _both(normed, vision, mlp.vision_mlp, mlp.language_mlp)
    text = model.lm_head(inner.norm(x[:, vision + 2 :]))
    return text, model.lm_head(slots_BND[:, 1:vision])


def _both(x: Tensor, vision: int, image: nn.Module, language: nn.Module) -> Tensor:
    return torch.cat((image(x[:, :vision]), language(x[:, vision:])), dim=1)
