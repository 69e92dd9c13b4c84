"""Attention between grid cells that lie near each other, on one grid or on two scales.

A query cell (y, x) of an H x W grid looks at the kh x kw cells of an h x w grid around its parent
(y // a, x // a), where H = a h and W = a w; a = 1 is self-attention. Cells outside the grid score
-10000 and weigh nothing. The offsets are walked one by one, so that the largest tensor is one
[B, H, W, kh * kw] of scores: a full-size CogView2 would need gigabytes for gathered keys.
Source: CogView2 (arXiv 2204.14217, section 3.2, local attention).

Legend of the suffixes: B batch (with heads), C channels, H W query grid, h w key grid, O offsets
(kh * kw, row-major, the middle one at kh // 2, kw // 2).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional as F

from glm_t2i.models.attention import MASKED_SCORE


def similar(
    q_BCHW: torch.Tensor, k_BChw: torch.Tensor, kernel: tuple[int, int], *, causal: bool = False
) -> torch.Tensor:
    """Scores [B, H, W, O]; causal keeps the first O // 2 + 1 offsets (both sizes odd).

    Raises ValueError if the grids are not multiples of each other or a causal kernel is even.
    """
    scale = _scale(q_BCHW, k_BChw)
    if causal and not (kernel[0] % 2 and kernel[1] % 2):
        raise ValueError(f"a causal kernel must be odd both ways, not {kernel}")
    inside_11hw = torch.ones_like(k_BChw[:1, :1], dtype=torch.bool)
    found = [
        torch.where(seen_11HW[:, 0], (q_BCHW * near_BCHW).sum(dim=1), MASKED_SCORE)
        for near_BCHW, seen_11HW in zip(
            _shifts(k_BChw, kernel, scale), _shifts(inside_11hw, kernel, scale), strict=True
        )
    ]
    if causal:
        found = found[: len(found) // 2 + 1]
    return torch.stack(found, dim=-1)


def weighting(
    v_BChw: torch.Tensor, weights_BHWO: torch.Tensor, kernel: tuple[int, int]
) -> torch.Tensor:
    """The values under the weights of `similar`, [B, C, H, W]; outside cells count zero.

    Fewer weights than kh * kw are those of the first offsets (the causal form).
    """
    scale = weights_BHWO.shape[1] // v_BChw.shape[2]
    total_BCHW: torch.Tensor | None = None
    for offset, near_BCHW in enumerate(_shifts(v_BChw, kernel, scale)):
        if offset == weights_BHWO.shape[-1]:
            break
        part_BCHW = near_BCHW * weights_BHWO[:, None, :, :, offset]
        total_BCHW = part_BCHW if total_BCHW is None else total_BCHW + part_BCHW
    assert total_BCHW is not None, "a kernel has at least one cell"
    return total_BCHW


def _scale(q_BCHW: torch.Tensor, k_BChw: torch.Tensor) -> int:
    (rows, columns), (key_rows, key_columns) = q_BCHW.shape[2:], k_BChw.shape[2:]
    scale = rows // key_rows
    if (rows, columns) != (scale * key_rows, scale * key_columns) or scale < 1:
        raise ValueError(f"a {rows}x{columns} grid is no multiple of {key_rows}x{key_columns}")
    return int(scale)


def _shifts(x_BChw: torch.Tensor, kernel: tuple[int, int], scale: int) -> Iterator[torch.Tensor]:
    """For each offset, what every query cell finds there, [B, C, H, W]; zero outside."""
    rows, columns = x_BChw.shape[2:]
    up, left = kernel[0] // 2, kernel[1] // 2
    padded = F.pad(x_BChw, (left, kernel[1] - 1 - left, up, kernel[0] - 1 - up))
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            near = padded[:, :, row : row + rows, column : column + columns]
            if scale > 1:
                near = near.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
            yield near
