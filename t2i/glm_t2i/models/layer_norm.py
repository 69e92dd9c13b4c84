"""LayerNorm with the released half of PB-relax: the input is scaled by its own largest value.

y = LN(x / (max|x| / 8)), the maximum over the whole tensor, batch and positions together. It is
the identity but for eps, so results move by about 1e-5 with the batch mates and with caching.
CogView always does it, in all norms; CogView2 never (arXiv 2105.13290, section 2.4).
"""

from __future__ import annotations

import torch
from torch import nn

PRESCALE = 8.0


class SandwichLayerNorm(nn.LayerNorm):
    """`prescaled` True for CogView, False for CogView2. Input and output [..., width]."""

    def __init__(self, width: int, *, eps: float, prescaled: bool) -> None:
        super().__init__(width, eps=eps)
        self.prescaled = prescaled

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.prescaled:
            largest = x.detach().abs().amax().clamp_min(torch.finfo(x.dtype).tiny * PRESCALE)
            x = x / (largest / PRESCALE)
        return super().forward(x)
