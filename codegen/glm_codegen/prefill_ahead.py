"""What will probably be asked next is computed while nobody asks for anything.

One prompt at a time, in chunks small enough that a request which comes meanwhile hardly waits; it
is dropped at once then, and what was computed of it is found by whatever begins like it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from glm_protocol.errors import GlmError
from glm_runtime.decode import SMALLEST_CHUNK, Decoder
from glm_runtime.kv_shelf import NoRoomNow

if TYPE_CHECKING:
    from glm_runtime.lora_weights import LoraWeights
    from glm_runtime.strand import Strand

NextPrompt = Callable[[], Sequence[int] | None]


class PrefillAhead:
    """Of the engine whose decoder it is given."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._expected: tuple[NextPrompt, LoraWeights | None, str] | None = None
        self._strand: Strand | None = None

    @property
    def has_work(self) -> bool:
        return self._expected is not None or self._strand is not None

    def expect(self, prompt: NextPrompt, lora: LoraWeights | None, tenant: str) -> None:
        """A prompt that may come next, in place of what was expected before."""
        self.drop()
        self._expected = (prompt, lora, tenant)

    def drop(self) -> None:
        """Something real came."""
        if self._strand is not None:
            self._decoder.end(self._strand)
        self._expected = self._strand = None

    def step(self) -> None:
        """A small piece of it, if there is anything."""
        if self._strand is None:
            self._begin()
            return
        self._decoder.step([self._strand], chunk=SMALLEST_CHUNK)
        if self._strand.logits_V is not None or self._strand.error is not None:
            self.drop()

    def _begin(self) -> None:
        if self._expected is None:
            return
        (prompt, lora, tenant), self._expected = self._expected, None
        try:
            tokens = prompt()
            if tokens:
                self._strand = self._decoder.begin(
                    tokens, lora, tenant=tenant, most=len(tokens), guesses=()
                )
        except (NoRoomNow, GlmError):
            self._strand = None  # nobody asked for it
