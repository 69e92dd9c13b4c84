"""From logits to ids: filters, draws, and the cluster sampling of CogView2.

Draws are made on the CPU from a generator of their own, so that one seed gives the same codes
whatever device the model is on and whoever else draws numbers.

Legend of the suffixes: B rows, V ids, G clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

# logits [B, V] -> chosen columns, int64 [B], on the logits' device
Chooser = Callable[[torch.Tensor], torch.Tensor]


def greedy(logits_BV: torch.Tensor) -> torch.Tensor:
    """The best column of each row, the first of equals."""
    return logits_BV.argmax(dim=-1)


def keep_top_k(logits_BV: torch.Tensor, top_k: int) -> torch.Tensor:
    """-inf outside the `top_k` best; ties with the last of them are kept. 0 keeps all."""
    if top_k <= 0 or top_k >= logits_BV.shape[-1]:
        return logits_BV
    least_B1 = logits_BV.topk(top_k, dim=-1).values[:, -1:]
    return logits_BV.masked_fill(logits_BV < least_B1, float("-inf"))


def draw(weights_BV: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One column a row by its weight (not necessarily normalised), int64 [B]."""
    drawn = torch.multinomial(weights_BV.float().cpu(), 1, generator=generator)[:, 0]
    return drawn.to(weights_BV.device)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TopK:
    """Draws among the `top_k` best at a temperature; CogView's released choice is 200 at 1.0."""

    generator: torch.Generator
    top_k: int = 200
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature <= 0 or self.top_k < 0:
            raise ValueError("temperature must be above 0 and top_k not below 0")

    def __call__(self, logits_BV: torch.Tensor) -> torch.Tensor:
        kept_BV = keep_top_k(logits_BV.float() / self.temperature, self.top_k)
        return draw(kept_BV.softmax(dim=-1), self.generator)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ClusterDraw:
    """Draws a cluster of codes among the best by their mass, then a code inside it.

    `labels_V`: the cluster of each code, int64; it is part of the model. CogView2's choices are
    16 clusters, temperature 1.15, in-cluster temperature 1 (base) and 100, 1.0, 0.89 (direct
    super-resolution). `pick` may be replaced, e.g. by `greedy`.
    Source: CogView2 (arXiv 2204.14217), section 3.1 and the released sampling.
    """

    labels_V: torch.Tensor
    pick: Chooser
    temperature: float = 1.15
    clusters: int = 16
    cluster_temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature <= 0 or self.cluster_temperature <= 0 or self.clusters < 1:
            raise ValueError("temperatures and the count of clusters must be above 0")
        if self.labels_V.ndim != 1 or self.labels_V.is_floating_point():
            raise ValueError("labels must be one integer for each code")

    def cluster_weights(self, logits_BV: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The best clusters' shares of the mass, best first, and their numbers: both [B, G]."""
        if logits_BV.shape[-1] != self.labels_V.numel():
            raise ValueError(
                f"{self.labels_V.numel()} cluster labels do not fit {logits_BV.shape[-1]} codes"
            )
        weights_BV = (logits_BV.float() / self.temperature).softmax(dim=-1)
        labels_V = self.labels_V.to(logits_BV.device)
        count = int(labels_V.max()) + 1
        mass_BG = weights_BV.new_zeros(len(weights_BV), count).index_add(1, labels_V, weights_BV)
        best = mass_BG.topk(min(self.clusters, count), dim=-1)
        return best.values / best.values.sum(dim=-1, keepdim=True), best.indices

    def code_weights(self, logits_BV: torch.Tensor, cluster_B: torch.Tensor) -> torch.Tensor:
        """Shares of the codes inside one cluster a row, zero outside: [B, V]."""
        scaled_BV = logits_BV.float() / self.temperature / self.cluster_temperature
        outside_BV = self.labels_V.to(logits_BV.device) != cluster_B[:, None]
        return scaled_BV.masked_fill(outside_BV, float("-inf")).softmax(dim=-1)

    def __call__(self, logits_BV: torch.Tensor) -> torch.Tensor:
        weights_BG, numbers_BG = self.cluster_weights(logits_BV)
        cluster_B = numbers_BG.gather(1, self.pick(weights_BG)[:, None])[:, 0]
        return self.pick(self.code_weights(logits_BV, cluster_B))


def drawing(generator: torch.Generator) -> Chooser:
    """`draw` as the `pick` of a `ClusterDraw`."""
    return lambda weights_BV: draw(weights_BV, generator)
