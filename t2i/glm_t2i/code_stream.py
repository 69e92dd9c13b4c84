"""Logits of a picture's codes behind one context, place by place, for several samples at once.

Legend of the suffixes: B samples, N codes, V vocabulary.
"""

from __future__ import annotations

import torch

from glm_t2i.models.cogview import CogView
from glm_t2i.models.key_value_cache import KeyValueCache


class CodeStream:
    """The cached forward of one context over `samples` rows."""

    def __init__(self, model: CogView, ids: list[int], positions: list[int], samples: int) -> None:
        self._model, self._first = model, positions[-1] + 1
        self._context = (torch.tensor([ids]), torch.tensor([positions]))
        self._samples, self._fed = samples, 0
        self._cache: KeyValueCache | None = None
        self._start_1V: torch.Tensor | None = None

    def logits(self, tokens_BN: torch.Tensor, place: int) -> torch.Tensor:
        """[B, V] for the code at `place`, all codes before it known."""
        if self._cache is None:
            ids, positions = self._context
            capacity = ids.shape[1] + tokens_BN.shape[1]
            cache = KeyValueCache(self._model.config.num_layers, capacity=capacity)
            self._start_1V = self._model(ids, positions, cache=cache, last=1).logits[:, -1]
            self._cache = cache.expanded(self._samples)
        if place == 0:
            assert self._start_1V is not None
            return self._start_1V.expand(self._samples, -1)
        new = tokens_BN[:, self._fed : place]
        positions = torch.arange(self._first + self._fed, self._first + place)
        self._fed = place
        return torch.as_tensor(self._model(new, positions, cache=self._cache, last=1).logits[:, -1])
