"""The next token from logits: greedy, or temperature and top-p with a seed of the request.

Legend: V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glm_protocol.errors import EngineFailed
from glm_runtime.causal_model import Logits, as_array


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
    """One request's sampling; numpy's generator, so a seed means the same on every device."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._generator = np.random.default_rng(sampling.seed)

    def next_token(self, logits_V: Logits) -> int:
        """Raises EngineFailed when the largest logit is NaN or infinite."""
        on_device = hasattr(logits_V, "best")  # see captured/device_sampling.py
        if not on_device:
            logits_V = as_array(logits_V)
        if not (logits_V.finite if on_device else math.isfinite(float(logits_V.max()))):
            raise EngineFailed(
                "The model computed values that are not finite.",
                remedy="Try --dtype float32; if it stays, the model's weights are damaged.",
            )
        if self._sampling.temperature == 0:
            return int(logits_V.best if on_device else logits_V.argmax())
        if on_device:
            return int(
                logits_V.draw(
                    temperature=self._sampling.temperature,
                    top_p=self._sampling.top_p,
                    uniform=self._generator.random(),
                )
            )
        return self._draw(logits_V)

    def _draw(self, logits_V: NDArray[np.float32]) -> int:
        # Less the largest, so that a small temperature cannot overflow.
        scaled_V = (logits_V.astype(np.float64) - float(logits_V.max())) / max(
            self._sampling.temperature, 1e-4
        )
        chance_V = np.exp(scaled_V)
        token_V = np.argsort(-chance_V, kind="stable")
        chance_V = chance_V[token_V] / chance_V.sum()
        before_V = np.cumsum(chance_V) - chance_V
        chance_V[1:][before_V[1:] >= self._sampling.top_p] = 0.0  # the likeliest stays
        return int(self._generator.choice(token_V, p=chance_V / chance_V.sum()))
