"""CogAgent and GLM-4V-9B written down once more, token by token, straight from their description.

Shares nothing with the package: plain functions over a checkpoint's tensors, one row without
padding at a time, no cache, no masks but loops, and rotations as complex numbers. Slow on purpose.
"""

from __future__ import annotations

import math
from typing import Any

import torch

Weights = dict[str, torch.Tensor]


def linear(weights: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    out = x @ weights[f"{name}.weight"].T
    bias = weights.get(f"{name}.bias")
    return out if bias is None else out + bias


def layer_norm(weights: Weights, name: str, x: torch.Tensor, eps: float) -> torch.Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt()
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def rms_norm(weights: Weights, name: str, x: torch.Tensor, eps: float) -> torch.Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weights[f"{name}.weight"]


def gelu(x: torch.Tensor) -> torch.Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def silu(x: torch.Tensor) -> torch.Tensor:
    return x / (1 + (-x).exp())


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool) -> torch.Tensor:
    """(L, H, E) against (S, H, E), one query after another."""
    rows = []
    for at in range(len(q)):
        end = at + 1 if causal else len(k)
        scores = torch.einsum("he,she->hs", q[at], k[:end]) / math.sqrt(q.shape[-1])
        rows.append(torch.einsum("hs,she->he", scores.softmax(-1), v[:end]).flatten())
    return torch.stack(rows)


def patches(weights: Weights, name: str, picture: torch.Tensor, size: int) -> torch.Tensor:
    """Each patch by itself through the convolution's weights, row by row."""
    kernel = weights[f"{name}.weight"].flatten(1)
    found = [
        kernel @ picture[:, y : y + size, x : x + size].flatten() + weights[f"{name}.bias"]
        for y in range(0, picture.shape[1], size)
        for x in range(0, picture.shape[2], size)
    ]
    return torch.stack(found)


def eva_trunk(
    weights: Weights, at: str, config: dict[str, Any], picture: torch.Tensor
) -> torch.Tensor:
    """EVA2-CLIP-E: norms after the branches; the class token is dropped at the end."""
    heads, eps = config["num_heads"], config["layer_norm_eps"]
    x = patches(weights, f"{at}.patch_embedding.proj", picture, config["patch_size"])
    x = torch.cat((weights[f"{at}.patch_embedding.cls_embedding"], x))
    x = x + weights[f"{at}.patch_embedding.position_embedding.weight"]
    for number in range(config["num_hidden_layers"]):
        layer = f"{at}.transformer.layers.{number}"
        q, k, v = (
            part.unflatten(-1, (heads, -1))
            for part in linear(weights, f"{layer}.attention.query_key_value", x).chunk(3, -1)
        )
        branch = linear(weights, f"{layer}.attention.dense", attention(q, k, v, causal=False))
        x = x + layer_norm(weights, f"{layer}.input_layernorm", branch, eps)
        branch = linear(weights, f"{layer}.mlp.fc2", gelu(linear(weights, f"{layer}.mlp.fc1", x)))
        x = x + layer_norm(weights, f"{layer}.post_attention_layernorm", branch, eps)
    return x[1:]


def adapter(weights: Weights, at: str, x: torch.Tensor) -> torch.Tensor:
    x = gelu(layer_norm(weights, f"{at}.norm1", linear(weights, f"{at}.linear_proj", x), 1e-5))
    gated = silu(linear(weights, f"{at}.gate_proj", x))
    return linear(weights, f"{at}.dense_4h_to_h", gated * linear(weights, f"{at}.dense_h_to_4h", x))


def with_borders(weights: Weights, at: str, x: torch.Tensor) -> torch.Tensor:
    return torch.cat((weights[f"{at}.boi"][0], x, weights[f"{at}.eoi"][0]))


def fine_trunk(weights: Weights, config: dict[str, Any], picture: torch.Tensor) -> torch.Tensor:
    """EVA02-CLIP-L without its last layer; heads turn by row, then by column."""
    at, eps = "model.cross_vision.vit.model", 1e-6
    fine = config["cross_vision_config"]
    heads, grid = fine["num_heads"], picture.shape[1] // fine["patch_size"]
    x = patches(weights, f"{at}.patch_embed.proj", picture, fine["patch_size"])
    x = torch.cat((weights[f"{at}.cls_token"][0], x)) + weights[f"{at}.pos_embed"][0]
    half = config["cross_hidden_size"] // heads // 2
    steps = [10_000 ** (-i / half) for i in range(0, half, 2)]
    turns = []
    for row in range(grid):
        for column in range(grid):
            places = (row / grid * fine["rotary_grid"], column / grid * fine["rotary_grid"])
            turns.append([place * step for place in places for step in steps])
    angles = torch.tensor(turns)[:, None]
    turn = torch.polar(torch.ones_like(angles), angles)

    def turned(part: torch.Tensor) -> torch.Tensor:
        pairs = torch.view_as_complex(part[1:].unflatten(-1, (-1, 2)).contiguous())
        return torch.cat((part[:1], torch.view_as_real(pairs * turn).flatten(-2)))

    for number in range(fine["num_hidden_layers"] - 1):
        layer = f"{at}.blocks.{number}"
        normed = layer_norm(weights, f"{layer}.norm1", x, eps)
        q = linear(weights, f"{layer}.attn.q_proj", normed) + weights[f"{layer}.attn.q_bias"]
        k = linear(weights, f"{layer}.attn.k_proj", normed)
        v = linear(weights, f"{layer}.attn.v_proj", normed) + weights[f"{layer}.attn.v_bias"]
        q, k, v = (part.unflatten(-1, (heads, -1)) for part in (q, k, v))
        branch = attention(turned(q), turned(k), v, causal=False)
        branch = layer_norm(weights, f"{layer}.attn.inner_attn_ln", branch, eps)
        x = x + linear(weights, f"{layer}.attn.proj", branch)
        normed = layer_norm(weights, f"{layer}.norm2", x, eps)
        gated = silu(linear(weights, f"{layer}.mlp.w1", normed))
        gated = gated * linear(weights, f"{layer}.mlp.w2", normed)
        x = x + linear(
            weights, f"{layer}.mlp.w3", layer_norm(weights, f"{layer}.mlp.ffn_ln", gated, eps)
        )
    return x[1:] + weights["model.cross_vision.pos_embed"]


def places(types: list[int]) -> list[int]:
    """One more for each token, except that patches of a run share one."""
    found, last = [], -1
    for at, kind in enumerate(types):
        inner = kind == 1 and 0 < at < len(types) - 1 and types[at - 1] == types[at + 1] == 1
        before = at > 1 and types[at - 1] == 1 and types[at - 2] == 1
        if not (inner and before):
            last += 1
        found.append(last)
    return found


def half_split_turn(x: torch.Tensor, at: list[int], base: float) -> torch.Tensor:
    half = x.shape[-1] // 2
    steps = torch.tensor([base ** (-i / half) for i in range(half)])
    angles = (torch.tensor(at).float()[:, None] * steps)[:, None]
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(
        torch.ones_like(angles), angles
    )
    return torch.cat((turned.real, turned.imag), dim=-1)


def cogagent_logits(
    weights: Weights,
    config: dict[str, Any],
    ids: list[int],
    types: list[int],
    picture: torch.Tensor | None,
    fine_picture: torch.Tensor | None,
) -> torch.Tensor:
    """(L, vocabulary) of one row with one picture or none."""
    heads, eps = config["num_attention_heads"], config["rms_norm_eps"]
    x = weights["model.embed_tokens.weight"][ids]
    fine = None
    if picture is not None and fine_picture is not None:
        trunk = eva_trunk(weights, "model.vision", config["vision_config"], picture)
        trunk = trunk + weights["model.vision.pos_embed"]
        seen = adapter(weights, "model.vision.linear_proj", trunk)
        x[torch.tensor(types) == 1] = with_borders(weights, "model.vision", seen)
        fine = fine_trunk(weights, config, fine_picture)
    experts = [
        "vision" if types[at] == 1 and types[at + 1 : at + 2] == [1] else "language"
        for at in range(len(ids))
    ]

    def routed(name: str, rows: torch.Tensor) -> torch.Tensor:
        parts = [
            linear(weights, name.format(kind), row) for kind, row in zip(experts, rows, strict=True)
        ]
        return torch.stack(parts)

    for number in range(config["num_hidden_layers"]):
        layer = f"model.layers.{number}"
        normed = rms_norm(weights, f"{layer}.input_layernorm", x, eps)
        fused = routed(f"{layer}.self_attn.{{}}_expert_query_key_value", normed)
        q, k, v = (part.unflatten(-1, (heads, -1)) for part in fused.chunk(3, -1))
        q, k = (half_split_turn(part, places(types), 10_000.0) for part in (q, k))
        x = x + routed(f"{layer}.self_attn.{{}}_expert_dense", attention(q, k, v, causal=True))
        if fine is not None:
            normed = rms_norm(weights, f"{layer}.post_cross_attention_layernorm", x, eps)
            q = linear(weights, f"{layer}.cross_attn.query", normed).unflatten(-1, (heads, -1))
            k, v = (
                part.unflatten(-1, (heads, -1))
                for part in linear(weights, f"{layer}.cross_attn.key_value", fine).chunk(2, -1)
            )
            x = x + linear(weights, f"{layer}.cross_attn.dense", attention(q, k, v, causal=False))
        normed = rms_norm(weights, f"{layer}.post_attention_layernorm", x, eps)
        mlp = f"{layer}.mlp.{{}}_mlp"
        gated = silu(routed(f"{mlp}.gate_proj", normed)) * routed(f"{mlp}.up_proj", normed)
        x = x + routed(f"{mlp}.down_proj", gated)
    return linear(weights, "lm_head", rms_norm(weights, "model.norm", x, eps))


def adjacent_half_turn(x: torch.Tensor, at: list[int], base: float) -> torch.Tensor:
    """Adjacent pairs of the first half of each head."""
    half = x.shape[-1] // 2
    steps = torch.tensor([base ** (-i / half) for i in range(0, half, 2)])
    angles = (torch.tensor(at).float()[:, None] * steps)[:, None]
    pairs = torch.view_as_complex(x[..., :half].unflatten(-1, (-1, 2)).contiguous())
    turned = torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles))
    return torch.cat((turned.flatten(-2), x[..., half:]), dim=-1)


def glm4v_9b_logits(
    weights: Weights,
    config: dict[str, Any],
    ids: list[int],
    types: list[int],
    picture: torch.Tensor | None,
) -> torch.Tensor:
    """(L, vocabulary) of one row with one picture or none."""
    eps, size = config["layernorm_epsilon"], config["kv_channels"]
    heads, groups = config["num_attention_heads"], config["multi_query_group_num"]
    x = weights["transformer.embedding.word_embeddings.weight"][ids]
    if picture is not None:
        at, tower = "transformer.vision", config["vision_config"]
        trunk = eva_trunk(weights, at, tower, picture)
        grid = math.isqrt(len(trunk))
        square = trunk.unflatten(0, (grid, grid))
        kernel = weights[f"{at}.conv.weight"]
        merged = [
            torch.einsum("oiyx,yxi->o", kernel, square[y : y + 2, x_ : x_ + 2])
            + weights[f"{at}.conv.bias"]
            for y in range(0, grid, 2)
            for x_ in range(0, grid, 2)
        ]
        seen = adapter(weights, f"{at}.linear_proj", torch.stack(merged))
        slots = with_borders(weights, at, seen) / tower["scaling_factor"]
        x[torch.tensor(types) == 1] = slots
    for number in range(config["num_layers"]):
        layer = f"transformer.encoder.layers.{number}"
        normed = rms_norm(weights, f"{layer}.input_layernorm", x, eps)
        fused = linear(weights, f"{layer}.self_attention.query_key_value", normed)
        q, k, v = (
            part.unflatten(-1, (-1, size))
            for part in fused.split([heads * size, groups * size, groups * size], -1)
        )
        base = 10_000.0 * config["rope_ratio"]
        q, k = (adjacent_half_turn(part, places(types), base) for part in (q, k))
        k, v = (part.repeat_interleave(heads // groups, dim=1) for part in (k, v))
        x = x + linear(weights, f"{layer}.self_attention.dense", attention(q, k, v, causal=True))
        normed = rms_norm(weights, f"{layer}.post_attention_layernorm", x, eps)
        gate, up = linear(weights, f"{layer}.mlp.dense_h_to_4h", normed).chunk(2, -1)
        x = x + linear(weights, f"{layer}.mlp.dense_4h_to_h", silu(gate) * up)
    normed = rms_norm(weights, "transformer.encoder.final_layernorm", x, eps)
    return linear(weights, "transformer.output_layer", normed)
