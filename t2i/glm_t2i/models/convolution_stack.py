"""Residual and attention blocks of icetk's image tokenizer, encoder and decoder.

A level holds `num_res_blocks` residual blocks and, where its configured resolution is one of
`attn_resolutions`, one attention over the whole picture after them (no released file has more than
one block in such a level). GroupNorm has 32 groups, eps 1e-6; the
activation is swish. Down-sampling pads below and right only.

Legend of the suffixes: B batch, C channels, H W rows and columns, T = H * W.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

GROUPS = 32
EPS = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class StackConfig:
    """An encoder or decoder. `channels_mult` from the finest level; `resolution` in pixels."""

    channels: int
    channels_mult: tuple[int, ...]
    num_res_blocks: int
    attn_resolutions: tuple[int, ...]
    z_channels: int
    resolution: int

    def __post_init__(self) -> None:
        if any(self.channels * mult % GROUPS for mult in self.channels_mult):
            raise ValueError(f"channels {self.channels} must make multiples of {GROUPS}")

    def widths(self) -> tuple[int, ...]:
        return tuple(self.channels * mult for mult in self.channels_mult)

    def has_attention(self, level: int) -> bool:
        return self.resolution // 2**level in self.attn_resolutions


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, channels, eps=EPS)


class ResidualBlock(nn.Module):
    """Two normed, activated 3x3 convolutions beside a 1x1 shortcut where the width changes."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.norm1 = _norm(inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, padding=1)
        self.norm2 = _norm(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1)
        if inside != outside:
            self.nin_shortcut = nn.Conv2d(inside, outside, 1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        inner_BCHW = self.conv1(F.silu(self.norm1(x_BCHW)))
        inner_BCHW = self.conv2(F.silu(self.norm2(inner_BCHW)))
        if hasattr(self, "nin_shortcut"):
            x_BCHW = self.nin_shortcut(x_BCHW)
        return x_BCHW + torch.as_tensor(inner_BCHW)


class PictureAttention(nn.Module):
    """Single-head attention between all places of a picture, added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        normed_BCHW = self.norm(x_BCHW)
        q_BTC, k_BTC, v_BTC = (part(normed_BCHW).flatten(2).mT for part in (self.q, self.k, self.v))
        weights_BTT = (q_BTC @ k_BTC.mT / math.sqrt(x_BCHW.shape[1])).softmax(dim=-1)
        mixed_BCHW = (weights_BTT @ v_BTC).mT.reshape(x_BCHW.shape)
        return x_BCHW + torch.as_tensor(self.proj_out(mixed_BCHW))


class Halving(nn.Module):
    """3x3 convolution with stride 2, padded by one row below and one column right."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.conv(F.pad(x_BCHW, (0, 1, 0, 1))))


class Doubling(nn.Module):
    """Each place twice either way, then a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.conv(F.interpolate(x_BCHW, scale_factor=2.0, mode="nearest")))


class Level(nn.Module):
    """Residual blocks, then attention if any, then the change of size if any."""

    def __init__(self, inside: int, outside: int, *, blocks: int, attention: bool) -> None:
        super().__init__()
        self.block = nn.ModuleList(
            ResidualBlock(inside if index == 0 else outside, outside) for index in range(blocks)
        )
        if attention:
            self.attn = nn.ModuleList([PictureAttention(outside)])

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        for name in ("block", "attn"):
            for part in getattr(self, name, ()):
                x_BCHW = part(x_BCHW)
        for name in ("downsample", "upsample"):
            if hasattr(self, name):
                x_BCHW = getattr(self, name)(x_BCHW)
        return x_BCHW


class Middle(nn.Module):
    """Residual, attention, residual at the innermost width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(channels, channels)
        self.attn_1 = PictureAttention(channels)
        self.block_2 = ResidualBlock(channels, channels)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.block_2(self.attn_1(self.block_1(x_BCHW))))


class Encoder(nn.Module):
    """Pictures [B, 3, H, W] to features [B, z_channels, H / 2^(levels - 1), ...]."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        widths = config.widths()
        self.conv_in = nn.Conv2d(3, config.channels, 3, padding=1)
        self.down = nn.ModuleList()
        for level, (inside, outside) in enumerate(
            zip((config.channels, *widths), widths, strict=False)
        ):
            part = Level(
                inside, outside,
                blocks=config.num_res_blocks, attention=config.has_attention(level),
            )  # fmt: skip
            if level < len(widths) - 1:
                part.downsample = Halving(outside)
            self.down.append(part)
        self.mid = Middle(widths[-1])
        self.norm_out = _norm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], config.z_channels, 3, padding=1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        x_BCHW = self.conv_in(x_BCHW)
        for level in self.down:
            x_BCHW = level(x_BCHW)
        return torch.as_tensor(self.conv_out(F.silu(self.norm_out(self.mid(x_BCHW)))))


class Decoder(nn.Module):
    """Code vectors [B, z_channels, h, w] to pictures [B, 3, h * 2^(levels - 1), ...]."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        widths = config.widths()
        self.conv_in = nn.Conv2d(config.z_channels, widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1])
        self.up = nn.ModuleList()
        for level, (outside, inside) in enumerate(
            zip(widths, (*widths[1:], widths[-1]), strict=True)
        ):
            part = Level(
                inside, outside,
                blocks=config.num_res_blocks, attention=config.has_attention(level),
            )  # fmt: skip
            if level:
                part.upsample = Doubling(outside)
            self.up.append(part)
        self.norm_out = _norm(widths[0])
        self.conv_out = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        x_BCHW = self.mid(self.conv_in(x_BCHW))
        for level in reversed(list(self.up)):
            x_BCHW = level(x_BCHW)
        return torch.as_tensor(self.conv_out(F.silu(self.norm_out(x_BCHW))))
