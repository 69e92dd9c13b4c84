"""Pixels to image slots: trunk, optional 2 x 2 downsampling, adapter, learned borders.

Source: CogVLM (arXiv 2311.03079), section 2.1; CogVLM2 (arXiv 2408.16500) for the downsampling.

Shapes: I images, S side in pixels, P trunk tokens, T = patches after downsampling, C trunk width,
D hidden width of the language model.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from transformers import PreTrainedConfig

from glm_vision.models.eva_clip import EvaTransformer, PatchEmbedding
from glm_vision.models.vision_tower_config import VisionTowerConfig


class GLUAdapter(nn.Module):
    """Trunk width to language width, a norm with its own GELU, then a gated linear unit."""

    def __init__(self, width: int, hidden: int, inner: int) -> None:
        super().__init__()
        self.linear_proj = nn.Linear(width, hidden, bias=False)
        self.norm1 = nn.LayerNorm(hidden)  # eps 1e-5, not the config's
        self.dense_h_to_4h = nn.Linear(hidden, inner, bias=False)
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.dense_4h_to_h = nn.Linear(inner, hidden, bias=False)

    def forward(self, x_ITC: torch.Tensor) -> torch.Tensor:
        hidden = nn.functional.gelu(self.norm1(self.linear_proj(x_ITC)))
        inner = nn.functional.silu(self.gate_proj(hidden)) * self.dense_h_to_4h(hidden)
        out: torch.Tensor = self.dense_4h_to_h(inner)
        return out


class VisionTower(nn.Module):
    """`slots` tokens an image: 1,227 at 490 pixels, 2,306 at 1,344 with downsampling."""

    @property
    def slots(self) -> int:
        side = self.tower.grid if self.conv is None else self.tower.grid // 2
        return side * side + 2

    def pieces(self) -> Iterator[nn.Module]:
        """Its parts, each small enough to copy by itself; the borders are left out."""
        yield self.patch_embedding
        yield from self.transformer.layers
        if self.conv is not None:
            yield self.conv
        yield self.linear_proj

    def __init__(
        self,
        tower: VisionTowerConfig,
        config: PreTrainedConfig,
        *,
        hidden: int,
        inner: int,
        merged: int | None = None,
        patch_positions: bool = False,
    ) -> None:
        """`merged` patches, 2 x 2 to one, are that wide; `patch_positions` adds learned places
        to the trunk's patches once more."""
        super().__init__()
        self.tower = tower
        self.patch_embedding = PatchEmbedding(tower)
        self.transformer = EvaTransformer(tower, config)
        self.conv: nn.Conv2d | None = None
        if merged is not None:
            self.conv = nn.Conv2d(tower.hidden_size, merged, kernel_size=2, stride=2)
        self.linear_proj = GLUAdapter(merged or tower.hidden_size, hidden, inner)
        self.pos_embed: nn.Parameter | None = None
        if patch_positions:
            self.pos_embed = nn.Parameter(torch.zeros(tower.grid**2, tower.hidden_size))
        self.boi = nn.Parameter(torch.zeros(1, 1, hidden))
        self.eoi = nn.Parameter(torch.zeros(1, 1, hidden))

    def forward(self, pixels_I3SS: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (I, 3, S, S) to slots (I, T + 2, D). ValueError on another size."""
        wanted = (self.tower.in_channels, self.tower.image_size, self.tower.image_size)
        if tuple(pixels_I3SS.shape[1:]) != wanted:
            raise ValueError(f"images are {tuple(pixels_I3SS.shape[1:])}, the model takes {wanted}")
        patches_INC = self.transformer(self.patch_embedding(pixels_I3SS))[:, 1:]
        if self.pos_embed is not None:
            patches_INC = patches_INC + self.pos_embed
        if self.conv is not None:
            grid_ICnn = patches_INC.transpose(1, 2).unflatten(2, (self.tower.grid, -1))
            patches_INC = self.conv(grid_ICnn).flatten(2).transpose(1, 2)
        features_ITD = self.linear_proj(patches_INC)
        borders = (border.expand(len(features_ITD), 1, -1) for border in (self.boi, self.eoi))
        first, last = borders
        slots_ITD = torch.cat((first, features_ITD, last), dim=1)
        return (
            slots_ITD / self.tower.scaling_factor if self.tower.scaling_factor != 1 else slots_ITD
        )
