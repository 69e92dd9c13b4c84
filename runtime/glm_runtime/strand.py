"""One sequence of tokens at work: what is certain, what is computed, and the guesses ahead.

`tokens` are certain; the cache holds a beginning of them, or all of them and some guesses. So a
cache that was cut or cleared, for whatever reason, only means more to compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glm_protocol.errors import GlmError
from glm_runtime.causal_model import Logits
from glm_runtime.drafting import DraftPace, Guesses
from glm_runtime.kv_cache import KVCache

if TYPE_CHECKING:
    from glm_runtime.lora_weights import LoraWeights


class Strand:
    """Made by `Decoder.begin`; `Decoder.step` computes until `logits_V` is there, `add` goes on.

    `error`: why it cannot go on; it has to be ended then.
    """

    def __init__(
        self,
        cache: KVCache,
        prompt: Sequence[int],
        *,
        most: int,
        pace: DraftPace,
        lora: LoraWeights | None = None,
        guesses: Sequence[Guesses] = (),
    ) -> None:
        """`most`: tokens it may ever hold; `guesses`: the sources, the surest first."""
        self.cache = cache
        self.lora = lora
        self.most = most
        self.reused = len(cache.tokens)
        self.tokens = list(prompt)
        self.logits_V: Logits | None = None
        self.error: GlmError | None = None
        self._prompt_length = len(self.tokens)
        self._pace = pace
        self._guesses = guesses
        self._ahead: list[tuple[int, Logits]] = []  # guessed tokens with the logits after each
        self._proposed = 0
        self._source = ""

    @property
    def pending(self) -> int:
        """Tokens that are certain and not computed."""
        return max(0, len(self.tokens) - len(self.cache.tokens))

    @property
    def decodes(self) -> bool:
        """Whether it is one token after what is computed, not in its prompt."""
        return self.pending == 1 and len(self.tokens) > self._prompt_length

    @property
    def decoded(self) -> int:
        """Tokens that were added to the prompt."""
        return len(self.tokens) - self._prompt_length

    def add(self, token: int) -> None:
        """The token that was chosen from `logits_V`; a right guess has its logits ready."""
        self.tokens.append(token)
        if self._ahead and self._ahead[0][0] == token:
            self.logits_V = self._ahead.pop(0)[1]
            return
        self.drop_guesses(wrong=True)
        self.logits_V = None

    def propose(self, *, beside: int, most: int) -> list[int]:
        """Guesses worth computing now, in a step that has `beside` tokens with this one's."""
        room = min(most, self.most - len(self.tokens))
        if room < 1:
            return []
        said = self.tokens[self._prompt_length :]
        for guesses in self._guesses:
            count = self._pace.worth(guesses.source, beside=beside, most=room)
            found = list(guesses.propose(said, count)) if count else []
            if found:
                self._source = guesses.source
                return found
        return []

    def computed(self, tokens: Sequence[int], logits_NV: Sequence[Logits]) -> None:
        """Tokens were appended to the cache; logits after the last of them that are certain, and
        after each guess behind."""
        self.cache.tokens += tokens
        if not len(logits_NV):
            return
        guessed = len(logits_NV) - 1
        self.logits_V = logits_NV[0]
        self._ahead = list(zip(tokens[len(tokens) - guessed :], logits_NV[1:], strict=True))
        self._proposed = guessed

    def drop_guesses(self, *, wrong: bool) -> None:
        """The cache holds what is certain again. `wrong`: the next of them was tried in vain."""
        if self._proposed:
            accepted = self._proposed - len(self._ahead)
            tried = self._proposed if wrong else accepted
            if tried:
                self._pace.learn(self._source, proposed=tried, accepted=accepted)
        if self._ahead:
            certain = max(0, len(self.cache.tokens) - len(self._ahead))
            self.cache.store.cut(certain)
            del self.cache.tokens[certain:]
        self._ahead, self._proposed = [], 0

    def fail(self, error: GlmError) -> None:
        """It cannot go on; its memory goes back."""
        self._ahead, self._proposed = [], 0
        self.error, self.logits_V = error, None
        self.cache.clear()
