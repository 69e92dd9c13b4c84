"""The next token from logits: greedy, or temperature and top-p with a seed of the request.

Legend: V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from glm_protocol.errors import EngineFailed


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """`temperature` 0 is greedy; `seed` None draws one from the system."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.temperature < math.inf and 0 <= self.top_p <= 1):
            raise ValueError("temperature must be 0 or more, top_p between 0 and 1")


class Sampler:
    """One request's sampling; its generator lives on the CPU, so a seed means the same anywhere."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._generator = torch.Generator()
        if sampling.seed is not None:
            self._generator.manual_seed(sampling.seed)
        else:
            self._generator.seed()

    def next_token(self, logits_V: torch.Tensor) -> int:
        """Raises EngineFailed when the largest logit is NaN or infinite."""
        largest, token = logits_V.max(dim=-1)
        if not math.isfinite(float(largest)):
            raise EngineFailed(
                "The model computed values that are not finite.",
                remedy="Try --dtype float32; if it stays, the model's weights are damaged.",
            )
        if self._sampling.temperature == 0:
            return int(token)
        return self._draw(logits_V.float().cpu())

    def _draw(self, logits_V: torch.Tensor) -> int:
        # Less the largest, so that a small temperature cannot overflow.
        scaled_V = (logits_V - logits_V.max()) / max(self._sampling.temperature, 1e-4)
        probability_V, token_V = scaled_V.softmax(-1).sort(descending=True, stable=True)
        before_V = probability_V.cumsum(-1) - probability_V
        nucleus_V = probability_V.masked_fill(before_V >= self._sampling.top_p, 0.0)
        nucleus_V[0] = probability_V[0]  # the likeliest stays, even at top_p 0
        place = torch.multinomial(nucleus_V, 1, generator=self._generator)
        return int(token_V[place])
