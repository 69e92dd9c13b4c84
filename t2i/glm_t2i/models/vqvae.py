"""CogView's image tokenizer: a convolutional VQ-VAE, one code for 8 x 8 pixels.

Every layout of the released code with total stride 8 (its `stride=6`): `simple` or not, with any
count of residual blocks. Keys `enc_b.blocks.N`, `dec.blocks.N` with N the place in the list,
activations counted; `quantize_t.embed` is [width, codes], the width first.
Pictures are normalised: (pixel / 255 - MEAN) / STD per channel. Training by exponential averages
reads and writes `cluster_size` and `embed_avg`; it is not done here.
Source: CogView (arXiv 2105.13290, section 2.2), the layout of the released checkpoint.

Legend of the suffixes: B batch, C channels, H W pixels, h w codes, N codes of the book, D width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from glm_t2i.models.nearest_code import nearest_code
from glm_t2i.models.pixels import check_images, code_grid, to_pixels

STRIDE = 8  # pixels per code, either way


@dataclass(frozen=True, kw_only=True, slots=True)
class VqVaeConfig:
    """The names of the released code; `n_embed` codes of width `embed_dim`.

    `decoder_channel`: width after the second up-sampling where not `simple`; 0: channel // 2.
    """

    channel: int = 512
    n_res_block: int = 0
    n_res_channel: int = 32
    embed_dim: int = 256
    n_embed: int = 8192
    stride: int = 6
    simple: bool = True
    decoder_channel: int = 0

    def __post_init__(self) -> None:
        if self.stride != 6:
            raise ValueError(f"stride {self.stride} is not supported; 6 is (8 pixels per code)")
        if self.channel % 4 and not self.simple:
            raise ValueError(f"channel {self.channel} must be divisible by 4 if not simple")


class ResidualBlock(nn.Module):
    """x -> relu(x) + conv1x1(relu(conv3x3(relu(x)))): the activated input is what is added."""

    def __init__(self, channel: int, inner: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channel, inner, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(inner, channel, 1),
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.conv(x_BCHW)) + x_BCHW.relu()


class _Blocks(nn.Module):
    """A list of layers under the name that the checkpoint has for it."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*layers)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.blocks(x_BCHW))


def _halving(inside: int, outside: int) -> nn.Module:
    return nn.Conv2d(inside, outside, 4, stride=2, padding=1)


def _doubling(inside: int, outside: int) -> nn.Module:
    return nn.ConvTranspose2d(inside, outside, 4, stride=2, padding=1)


def _residual_blocks(config: VqVaeConfig) -> list[nn.Module]:
    count = range(config.n_res_block)
    return [*(ResidualBlock(config.channel, config.n_res_channel) for _ in count), nn.ReLU()]


def _encoder(config: VqVaeConfig) -> _Blocks:
    full = config.channel
    first, second = (full, full) if config.simple else (full // 4, full // 2)
    halvings = [_halving(3, first), nn.ReLU(), _halving(first, second), nn.ReLU()]
    return _Blocks(
        [
            *halvings,
            _halving(second, full),
            *_residual_blocks(config),
            nn.Conv2d(full, config.embed_dim, 1),
        ]
    )


def _decoder(config: VqVaeConfig) -> _Blocks:
    full = config.channel
    layers = [_doubling(config.embed_dim, full), *_residual_blocks(config)]
    if config.simple:
        layers += [_doubling(full, full), nn.ReLU(), _doubling(full, full), nn.ReLU()]
        return _Blocks([*layers, nn.Conv2d(full, 3, 1)])
    half = config.decoder_channel or full // 2
    layers += [_doubling(full, half), nn.ReLU(), nn.ConvTranspose2d(half, half, 1), nn.ReLU()]
    return _Blocks([*layers, _doubling(half, 3)])


class CodeBook(nn.Module):
    """The codes and the running sums of their training, all buffers."""

    embed: torch.Tensor
    cluster_size: torch.Tensor
    embed_avg: torch.Tensor

    def __init__(self, config: VqVaeConfig) -> None:
        super().__init__()
        embed_DN = torch.randn(config.embed_dim, config.n_embed)
        self.register_buffer("embed", embed_DN)
        self.register_buffer("cluster_size", torch.zeros(config.n_embed))
        self.register_buffer("embed_avg", embed_DN.clone())


class VqVae(nn.Module):
    """The tokenizer. `encode` and `decode` are inverse up to what the code book cannot hold."""

    def __init__(self, config: VqVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.enc_b = _encoder(config)
        self.quantize_t = CodeBook(config)
        self.dec = _decoder(config)

    def features(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """What is quantised, [B, h, w, D]. `images_BCHW`: normalised, sides multiples of 8."""
        check_images(images_BCHW, multiple=STRIDE)
        return torch.as_tensor(self.enc_b(images_BCHW)).permute(0, 2, 3, 1)

    def encode(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Codes int64 [B, H / 8, W / 8], nearest by squared distance, the first of equals.

        `images_BCHW` float [B, 3, H, W], normalised. Raises ValueError on another shape.
        """
        return nearest_code(self.features(images_BCHW), self.quantize_t.embed.t())

    def decode(self, codes_Bhw: torch.Tensor) -> torch.Tensor:
        """Normalised images [B, 3, 8 h, 8 w], not clamped; `decode_pixels` gives 0..1.

        `codes_Bhw` int64 [B, h, w], or [B, n] of a square. Raises ValueError on other codes.
        """
        grid_Bhw = code_grid(codes_Bhw, codes_in_book=self.config.n_embed)
        features_BhwD = nn.functional.embedding(grid_Bhw, self.quantize_t.embed.t())
        return torch.as_tensor(self.dec(features_BhwD.permute(0, 3, 1, 2)))

    def decode_pixels(self, codes_Bhw: torch.Tensor) -> torch.Tensor:
        """Images with 0 = black and 1 = white, not clamped."""
        return to_pixels(self.decode(codes_Bhw))
