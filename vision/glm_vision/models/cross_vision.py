"""The fine encoder of CogAgent: EVA02-CLIP-L's trunk at 1,120 pixels, every patch kept.

Pre-norm layers with a norm inside attention and MLP, a gated MLP, and rotary positions in two
directions whose grid is stretched over the 16 x 16 patches of its first training. The released
trunk has one layer more than is ever run, a final norm and a head; those weights are not loaded.
Source: EVA-02 (arXiv 2303.11331), CogAgent (arXiv 2312.08914) and its released code.

Shapes: I images, N = n * n patches, P = 1 + N tokens (class token first), C width, H heads,
E head width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig
from transformers.modeling_layers import GradientCheckpointingLayer

from glm_vision.models.attention import attend

EPS = 1e-6
ROTARY_BASE = 10_000.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossVisionConfig:
    """Sizes that the released code fixes. Raises ValueError where they do not fit."""

    hidden_size: int = 1024
    intermediate_size: int = 2730
    num_hidden_layers: int = 24  # stored; the last is not run
    num_heads: int = 16
    patch_size: int = 14
    image_size: int = 1120
    rotary_grid: int = 16  # patches a side that rotary positions are stretched over

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or value < 1:
                raise ValueError(f"cross vision's {field.name} must be a positive integer")
        if self.image_size % self.patch_size:
            raise ValueError(f"cross_image_size {self.image_size} is no multiple of a patch")
        if self.hidden_size % (4 * self.num_heads):
            raise ValueError(f"width {self.hidden_size} does not split into heads of two axes")

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> CrossVisionConfig:
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in raw.items() if key in known})

    @property
    def grid(self) -> int:
        return self.image_size // self.patch_size

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class FinePatchEmbedding(nn.Module):
    def __init__(self, sizes: CrossVisionConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, sizes.hidden_size, sizes.patch_size, stride=sizes.patch_size)

    def forward(self, pixels_I3SS: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.proj(pixels_I3SS).flatten(2).transpose(1, 2)
        return out


class FineAttention(nn.Module):
    """q and v have a bias of their own, k has none; the class token is not rotated."""

    def __init__(self, sizes: CrossVisionConfig, config: PreTrainedConfig) -> None:
        super().__init__()
        width = sizes.hidden_size
        self.config = config
        self.is_causal = False
        self.num_key_value_groups = 1
        self.heads = sizes.num_heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.inner_attn_ln = nn.LayerNorm(width, eps=EPS)
        self.proj = nn.Linear(width, width)

    def forward(self, x_IPC: torch.Tensor, turn_NE: tuple[torch.Tensor, torch.Tensor]) -> Any:
        query = self._split(self.q_proj(x_IPC) + self.q_bias)
        key = self._split(self.k_proj(x_IPC))
        value = self._split(self.v_proj(x_IPC) + self.v_bias)
        query, key = turn_patches(query, turn_NE), turn_patches(key, turn_NE)
        context_IPC, _ = attend(self, self.config, query, key, value, None)
        return self.proj(self.inner_attn_ln(context_IPC))

    def _split(self, x_IPC: torch.Tensor) -> torch.Tensor:
        return x_IPC.reshape(*x_IPC.shape[:-1], self.heads, -1).transpose(1, 2)


class FineMLP(nn.Module):
    """w3(norm(silu(w1 x) * w2 x)), all with biases."""

    def __init__(self, sizes: CrossVisionConfig) -> None:
        super().__init__()
        width, inner = sizes.hidden_size, sizes.intermediate_size
        self.w1 = nn.Linear(width, inner)
        self.w2 = nn.Linear(width, inner)
        self.ffn_ln = nn.LayerNorm(inner, eps=EPS)
        self.w3 = nn.Linear(inner, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.w3(self.ffn_ln(nn.functional.silu(self.w1(x)) * self.w2(x)))
        return out


class FineLayer(GradientCheckpointingLayer):  # type: ignore[no-untyped-call]
    def __init__(self, sizes: CrossVisionConfig, config: PreTrainedConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.hidden_size, eps=EPS)
        self.attn = FineAttention(sizes, config)
        self.norm2 = nn.LayerNorm(sizes.hidden_size, eps=EPS)
        self.mlp = FineMLP(sizes)

    def forward(
        self, x_IPC: torch.Tensor, turn_NE: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        x_IPC = x_IPC + self.attn(self.norm1(x_IPC), turn_NE)
        out: torch.Tensor = x_IPC + self.mlp(self.norm2(x_IPC))
        return out


class FineTrunk(nn.Module):
    """Pixels (I, 3, S, S) to patches (I, N, C)."""

    def __init__(self, sizes: CrossVisionConfig, config: PreTrainedConfig) -> None:
        super().__init__()
        self.sizes = sizes
        self.patch_embed = FinePatchEmbedding(sizes)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, sizes.hidden_size))
        self.pos_embed = nn.Parameter(torch.zeros(1, sizes.grid**2 + 1, sizes.hidden_size))
        run = sizes.num_hidden_layers - 1
        self.blocks = nn.ModuleList(FineLayer(sizes, config) for _ in range(run))

    def forward(self, pixels_I3SS: torch.Tensor) -> torch.Tensor:
        patches_INC = self.patch_embed(pixels_I3SS)
        class_I1C = self.cls_token.expand(len(patches_INC), -1, -1)
        x_IPC = torch.cat((class_I1C, patches_INC), dim=1) + self.pos_embed
        turn = grid_rotation(self.sizes, device=x_IPC.device, dtype=x_IPC.dtype)
        for block in self.blocks:
            x_IPC = block(x_IPC, turn)
        return x_IPC[:, 1:]


class FineEncoder(nn.Module):
    """Only the name that released weights have between tower and trunk."""

    def __init__(self, sizes: CrossVisionConfig, config: PreTrainedConfig) -> None:
        super().__init__()
        self.model = FineTrunk(sizes, config)


class CrossVision(nn.Module):
    """The encoder, and one more learned place for each patch. ValueError on another size."""

    def __init__(self, sizes: CrossVisionConfig, config: PreTrainedConfig) -> None:
        super().__init__()
        self.sizes = sizes
        self.vit = FineEncoder(sizes, config)
        self.pos_embed = nn.Parameter(torch.zeros(sizes.grid**2, sizes.hidden_size))

    def forward(self, pixels_I3SS: torch.Tensor) -> torch.Tensor:
        wanted = (3, self.sizes.image_size, self.sizes.image_size)
        if tuple(pixels_I3SS.shape[1:]) != wanted:
            raise ValueError(f"fine images are {tuple(pixels_I3SS.shape[1:])}, not {wanted}")
        out: torch.Tensor = self.vit.model(pixels_I3SS) + self.pos_embed
        return out

    def pieces(self) -> Iterator[nn.Module]:
        """Its parts, each small enough to copy by itself; tokens and places are left out."""
        yield self.vit.model.patch_embed
        yield from self.vit.model.blocks


def grid_rotation(
    sizes: CrossVisionConfig, *, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine (N, E): the first half of a head turns with the row, the rest with the
    column, adjacent pairs by one angle. Angles are formed in fp32."""
    half = sizes.hidden_size // sizes.num_heads // 2
    steps = torch.arange(0, half, 2, device=device, dtype=torch.float32)
    places_n = torch.arange(sizes.grid, device=device, dtype=torch.float32)
    places_n = places_n / sizes.grid * sizes.rotary_grid
    angles_ne = (places_n[:, None] * ROTARY_BASE ** (-steps / half)).repeat_interleave(2, dim=1)
    rows = angles_ne[:, None].expand(-1, sizes.grid, -1)
    columns = angles_ne[None].expand(sizes.grid, -1, -1)
    angles_NE = torch.cat((rows, columns), dim=-1).flatten(0, 1)
    return angles_NE.cos().to(dtype), angles_NE.sin().to(dtype)


def turn_patches(x_IHPE: torch.Tensor, by: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Turn adjacent pairs of every token but the class token."""
    cosine, sine = by
    patches = x_IHPE[:, :, 1:]
    pairs = patches.reshape(*patches.shape[:-1], -1, 2)
    crossed = torch.stack((-pairs[..., 1], pairs[..., 0]), dim=-1).flatten(-2)
    return torch.cat((x_IHPE[:, :, :1], patches * cosine + crossed * sine), dim=2)
