"""A decoder with one strand at a time, as a test of numbers wants it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glm_runtime.decode import Decoder
from glm_runtime.drafting import DraftPace, Guesses
from glm_runtime.kv_cache import KVCache
from glm_runtime.lora_weights import LoraWeights
from glm_runtime.strand import Strand


class OneRow:
    """Takes `Decoder`'s arguments; one row unless said otherwise. Raises a strand's error."""

    def __init__(self, model: Any, placement: Any, **options: Any) -> None:
        self.decoder = Decoder(model, placement, **{"rows": 1, **options})
        self.strand: Strand | None = None

    @property
    def cache(self) -> KVCache:
        assert self.strand is not None
        return self.strand.cache

    def begin(
        self,
        prompt: Sequence[int],
        lora: LoraWeights | None = None,
        *,
        tenant: str = "",
        guesses: Sequence[Guesses] | None = None,
    ) -> int:
        if self.strand is not None:
            self.decoder.end(self.strand)
        self.strand = self.decoder.begin(prompt, lora, tenant=tenant, guesses=guesses)
        return self.strand.reused

    def prefill(self) -> Any:
        """One step; logits at the prompt's end."""
        assert self.strand is not None
        self.decoder.step([self.strand])
        if self.strand.error is not None:
            raise self.strand.error
        return self.strand.logits_V

    def step(self, token: int) -> Any:
        """Logits after one more token."""
        assert self.strand is not None
        self.strand.add(token)
        while self.strand.logits_V is None:
            self.prefill()
        return self.strand.logits_V


def eager_pace() -> DraftPace:
    """Every guess is worth it."""
    pace = DraftPace()
    for width in (1, 2, 4, 8, 16):
        pace.took(width, 1.0 + 0.01 * width)
    for source in ("repetition", "suggestion", "workspace"):
        for _ in range(40):
            pace.learn(source, proposed=4, accepted=4)
    return pace
