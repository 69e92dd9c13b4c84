"""icetk's image tokenizer, used by CogView2: one code book, three levels of compression.

Level 0 holds one code for 4 x 4 pixels, level 1 for 8 x 8 (the one that CogView2 uses), level 2
for 16 x 16. An encoder gives level 0, two learned down-samplers give the others, and each level
has a decoder of its own: `decs[2 - level]`. A file may leave out whole decoders.
Source: CogView2 (arXiv 2204.14217, section 2.3), the layout of icetk's checkpoint.

Legend of the suffixes: B batch, C channels, H W pixels, h w codes, N codes of the book, D width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from glm_t2i.models.convolution_stack import Decoder, Encoder, Halving, StackConfig
from glm_t2i.models.nearest_code import nearest_code
from glm_t2i.models.pixels import check_images, code_grid, to_pixels

LEVELS = 3
COGVIEW2_LEVEL = 1
FINEST_STRIDE = 4  # pixels per code at level 0


@dataclass(frozen=True, kw_only=True, slots=True)
class HvqVaeConfig:
    """`decoders` in the order of the checkpoint (coarsest level first); None: left out."""

    encoder: StackConfig
    decoders: tuple[StackConfig | None, StackConfig | None, StackConfig | None]
    embedding_dim: int
    n_embed: int

    def __post_init__(self) -> None:
        for level, config in enumerate(reversed(self.decoders)):
            doublings = 2 + level
            if config is not None and len(config.channels_mult) != doublings + 1:
                raise ValueError(f"the decoder of level {level} must have {doublings + 1} widths")
        if len(self.encoder.channels_mult) != LEVELS:
            raise ValueError(f"the encoder must have {LEVELS} widths")


def released_config() -> HvqVaeConfig:
    """The sizes of icetk's released tokenizer, 97.4 million parameters."""

    def stack(*channels_mult: int, blocks: int = 1) -> StackConfig:
        return StackConfig(
            channels=128, channels_mult=channels_mult, num_res_blocks=blocks,
            attn_resolutions=(16,), z_channels=256, resolution=256,
        )  # fmt: skip

    return HvqVaeConfig(
        encoder=stack(1, 2, 4, blocks=2),
        decoders=(stack(1, 1, 1, 2, 4), stack(1, 1, 2, 4), stack(1, 2, 4)),
        embedding_dim=256,
        n_embed=20_000,
    )


class DownSampler(nn.Module):
    """Half the size: a strided convolution on top of the plain average."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_down_sampler = Halving(channels)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(x_BCHW, 2) + torch.as_tensor(self.conv_down_sampler(x_BCHW))


class SharedCodeBook(nn.Module):
    """The projection to the book's width and the book, which all levels share."""

    cluster_size: torch.Tensor
    embed_avg: torch.Tensor

    def __init__(self, config: HvqVaeConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(config.encoder.z_channels, config.embedding_dim, 1)
        self.embed = nn.Embedding(config.n_embed, config.embedding_dim)
        self.register_buffer("cluster_size", torch.zeros(config.n_embed))
        self.register_buffer("embed_avg", torch.zeros(config.n_embed, config.embedding_dim))


class HvqVae(nn.Module):
    """The tokenizer. `level` is 1 wherever it is not given: what CogView2 uses."""

    def __init__(self, config: HvqVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.enc = Encoder(config.encoder)
        self.down_samplers = nn.ModuleList(
            DownSampler(config.encoder.z_channels) for _ in range(LEVELS - 1)
        )
        self.quantize = SharedCodeBook(config)
        self.decs = nn.ModuleDict(
            {
                str(index): Decoder(decoder)
                for index, decoder in enumerate(config.decoders)
                if decoder is not None
            }
        )

    def features(self, images_BCHW: torch.Tensor, *, level: int = COGVIEW2_LEVEL) -> torch.Tensor:
        """The encoder's output of a level before projection, [B, C, h, w]."""
        check_images(images_BCHW, multiple=FINEST_STRIDE << _checked_level(level))
        x_BChw = self.enc(images_BCHW)
        for sampler in self.down_samplers[:level]:
            x_BChw = sampler(x_BChw)
        return torch.as_tensor(x_BChw)

    def encode(self, images_BCHW: torch.Tensor, level: int = COGVIEW2_LEVEL) -> torch.Tensor:
        """Codes int64 [B, h, w]; h = H / 4, / 8 or / 16 at level 0, 1, 2.

        `images_BCHW` float [B, 3, H, W], normalised. Raises ValueError on another shape or level.
        """
        projected = self.quantize.proj(self.features(images_BCHW, level=level))
        return nearest_code(projected.permute(0, 2, 3, 1), self.quantize.embed.weight)

    def decode(self, codes_Bhw: torch.Tensor, level: int = COGVIEW2_LEVEL) -> torch.Tensor:
        """Normalised images [B, 3, H, W], not clamped; `decode_pixels` gives 0..1.

        `codes_Bhw` int64 [B, h, w], or [B, n] of a square. Raises ValueError on other codes, on
        an unknown level, and on a level whose decoder the file did not hold.
        """
        name = str(LEVELS - 1 - _checked_level(level))
        if name not in self.decs:
            raise ValueError(f"these weights hold no decoder of level {level} (decs.{name})")
        grid_Bhw = code_grid(codes_Bhw, codes_in_book=self.config.n_embed)
        vectors_BDhw = self.quantize.embed(grid_Bhw).permute(0, 3, 1, 2)
        return torch.as_tensor(self.decs[name](vectors_BDhw))

    def decode_pixels(self, codes_Bhw: torch.Tensor, level: int = COGVIEW2_LEVEL) -> torch.Tensor:
        """Images with 0 = black and 1 = white, not clamped."""
        return to_pixels(self.decode(codes_Bhw, level))


def _checked_level(level: int) -> int:
    if level not in range(LEVELS):
        raise ValueError(f"level must be 0, 1 or 2, not {level!r}")
    return level
