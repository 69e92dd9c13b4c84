"""Choosing tokens on the device, so that a step sends back numbers of tokens and not logits.

The best token is part of every recorded step. A draw by temperature and top-p is one more call,
by the same rule and the same uniform number as on the CPU, so a seed means the same everywhere
but for rounding.

Legend: V vocabulary.
"""

from __future__ import annotations

import math

import torch


class DeviceLogits:
    """Logits after one token. `best` is there; the whole row is fetched only when asked for."""

    def __init__(self, row_V: torch.Tensor, best: int, top: float) -> None:
        self.row_V = row_V
        self.best = best
        self.finite = math.isfinite(top)

    def draw(self, *, temperature: float, top_p: float, uniform: float) -> int:
        return int(drawn(self.row_V, temperature, top_p, uniform))

    def detach(self) -> torch.Tensor:
        """The row as a tensor: all of it is wanted, by a chooser that rules tokens out."""
        return self.row_V


def drawn(logits_V: torch.Tensor, temperature: float, top_p: float, uniform: float) -> torch.Tensor:
    """A token whose share of the likeliest, up to `top_p` in sum, `uniform` falls into."""
    chance_V, token_V = torch.sort(
        torch.softmax(logits_V.float() / max(temperature, 1e-4), -1), descending=True, stable=True
    )
    before_V = chance_V.cumsum(-1) - chance_V
    kept_V = torch.where(before_V < top_p, chance_V, torch.zeros_like(chance_V))
    kept_V[0] = chance_V[0]  # the likeliest stays
    total_V = kept_V.cumsum(-1)
    place = torch.searchsorted(total_V, uniform * total_V[-1:], right=True)
    return token_V[place.clamp(max=logits_V.shape[-1] - 1)][0]
