"""Rotary position embedding, half-split (the NeoX and Llama layout), angles in fp32.

The released code of CogVLM forms its angles in the dtype of a stored buffer, so that bf16 weights
round positions above 256. Here angles are always fp32 and no buffer exists: deliberate, and equal
in fp32. Source: RoFormer (arXiv 2104.09864).

Shapes: B rows, H heads, L tokens, E head width.
"""

from __future__ import annotations

import torch

Rotation = tuple[torch.Tensor, torch.Tensor]


def rotation(
    positions_BL: torch.Tensor, *, width: int, base: float, dtype: torch.dtype
) -> Rotation:
    """Cosine and sine, each (B, 1, L, E), of positions in tokens; `width` is E."""
    steps = torch.arange(0, width, 2, device=positions_BL.device, dtype=torch.float32)
    frequencies = base ** (-steps / width)
    angles_BLe = positions_BL.float()[..., None] * frequencies
    angles_B1LE = torch.cat((angles_BLe, angles_BLe), dim=-1)[:, None]
    return angles_B1LE.cos().to(dtype), angles_B1LE.sin().to(dtype)


def rotate(x_BHLE: torch.Tensor, by: Rotation) -> torch.Tensor:
    """Turn each pair (i, i + E/2) of every head by its token's angle."""
    cosine, sine = by
    first, second = x_BHLE.chunk(2, dim=-1)
    return x_BHLE * cosine + torch.cat((-second, first), dim=-1) * sine
