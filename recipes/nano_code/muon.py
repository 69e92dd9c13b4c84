"""Muon: momentum whose update is made orthogonal by Newton-Schulz steps, for weight matrices.

After Keller Jordan's description (2024); written anew. Matrices of one shape are stacked so that
a step is a few batched products. Embeddings, norms and biases belong to AdamW instead.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

# Coefficients of the quintic iteration that sends singular values towards one.
QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalise(g_NRC: Tensor, steps: int = 5) -> Tensor:
    """Nearest (roughly) orthogonal matrices to a stack [N, R, C], in bf16."""
    a, b, c = QUINTIC
    x = g_NRC.bfloat16()
    flip = x.shape[-2] > x.shape[-1]
    x = x.mT if flip else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    orthogonal: Tensor = x.mT if flip else x
    return orthogonal


class Muon:
    """Optimiser state and step over groups of equally shaped matrices.

    `decay` is decoupled weight decay. The step is scaled by sqrt(max(1, rows / columns)).
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, Tensor]],
        *,
        momentum: float = 0.95,
        decay: float = 0.01,
    ) -> None:
        """Group the named matrices by shape."""
        self.momentum, self.decay = momentum, decay
        self._groups: dict[tuple[int, ...], list[tuple[str, Tensor]]] = {}
        for name, parameter in parameters:
            self._groups.setdefault(tuple(parameter.shape), []).append((name, parameter))
        self._velocity = {
            shape: torch.zeros(len(members), *shape, device=members[0][1].device)
            for shape, members in self._groups.items()
        }

    def share(self) -> None:
        """Move the velocities to memory that forked processes share."""
        for velocity in self._velocity.values():
            velocity.share_memory_()

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One update of every matrix from its `.grad`."""
        for shape, members in self._groups.items():
            gradient = torch.stack([p.grad for _, p in members if p.grad is not None])
            velocity = self._velocity[shape]
            velocity.lerp_(gradient, 1 - self.momentum)
            update = orthogonalise(gradient.lerp(velocity, self.momentum)).float()
            scale = rate * max(1.0, shape[0] / shape[1]) ** 0.5
            for (_, parameter), direction in zip(members, update, strict=True):
                parameter.mul_(1 - rate * self.decay).add_(direction, alpha=-scale)

    def state(self) -> dict[str, Tensor]:
        """Velocity by parameter name."""
        return {
            f"muon.{name}": self._velocity[shape][number].clone()
            for shape, members in self._groups.items()
            for number, (name, _) in enumerate(members)
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up the velocities that `state` gave."""
        for shape, members in self._groups.items():
            for number, (name, _) in enumerate(members):
                self._velocity[shape][number].copy_(state[f"muon.{name}"])
