"""Root-mean-square norm of the language layers, one for both experts.

Computed in fp32, weighted in fp32, then cast (Llama's own casts before weighting).
Source: RMSNorm (arXiv 1910.07467).
"""

from __future__ import annotations

import torch
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, width: int, *, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x_BLD: torch.Tensor) -> torch.Tensor:
        normed = nn.functional.rms_norm(
            x_BLD.float(), self.weight.shape, self.weight.float(), self.eps
        )
        return normed.to(x_BLD.dtype)
