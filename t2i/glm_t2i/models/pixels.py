"""Pictures and grids of codes at the border of the tokenizers: what may come in, what goes out.

Both tokenizers were trained on (pixel / 255 - MEAN) / STD per channel.
"""

from __future__ import annotations

import math

import torch

MEAN = (0.79093, 0.76271, 0.75340)
STD = (0.30379, 0.32279, 0.32800)


def _channels(values: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(3, 1, 1)


def normalised(pixels_BCHW: torch.Tensor) -> torch.Tensor:
    """Pixels 0..1 as the tokenizers want them, [B, 3, H, W]."""
    return (pixels_BCHW - _channels(MEAN, pixels_BCHW)) / _channels(STD, pixels_BCHW)


def to_pixels(images_BCHW: torch.Tensor) -> torch.Tensor:
    """Normalised images as pixels 0..1, not clamped, [B, 3, H, W]."""
    return images_BCHW * _channels(STD, images_BCHW) + _channels(MEAN, images_BCHW)


def code_grid(codes: torch.Tensor, *, codes_in_book: int) -> torch.Tensor:
    """Codes as int64 [B, h, w]; [B, n] is taken for a square. Raises ValueError on the rest."""
    if codes.is_floating_point() or codes.numel() == 0:
        raise ValueError("codes must be integers, and not empty")
    if codes.ndim == 2:
        edge = math.isqrt(codes.shape[1])
        if edge * edge != codes.shape[1]:
            raise ValueError(f"{codes.shape[1]} codes are no square; give [batch, rows, columns]")
        codes = codes.reshape(codes.shape[0], edge, edge)
    if codes.ndim != 3:
        raise ValueError(f"codes must be [batch, rows, columns], not {tuple(codes.shape)}")
    low, high = (int(bound) for bound in torch.aminmax(codes))
    if low < 0 or high >= codes_in_book:
        raise ValueError(f"codes hold {low}..{high}; allowed are 0..{codes_in_book - 1}")
    return codes.to(torch.int64)


def check_images(images_BCHW: torch.Tensor, *, multiple: int) -> None:
    """Raises ValueError unless the tensor is float [B, 3, H, W] with sides that fit."""
    shape = tuple(images_BCHW.shape)
    if len(shape) != 4 or shape[1] != 3 or not images_BCHW.is_floating_point():
        raise ValueError(f"images must be floats of shape [batch, 3, height, width], not {shape}")
    if 0 in shape or shape[2] % multiple or shape[3] % multiple:
        raise ValueError(f"height and width must be multiples of {multiple}, not {shape[2:]}")
