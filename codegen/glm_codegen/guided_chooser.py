"""The next token of a completion: the model's word, the memory's, and the letters typed already.

Keeps the probability of each choice, which is where the confidence of a suggestion comes from,
and the rivals of the first one, from which alternatives start.

Legend: V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glm_codegen.completion_memory import CompletionMemory
from glm_codegen.text_stream import TextStream
from glm_codegen.vocabulary import Vocabulary
from glm_protocol.errors import EngineFailed
from glm_runtime.causal_model import Logits, as_array
from glm_runtime.memory_mix import mix
from glm_runtime.sampling import Sampler

Chances = NDArray[np.float32]
RIVALS = 6  # of the first token, kept for alternatives


@dataclass(kw_only=True, slots=True)
class Said:
    """What was chosen so far, the typed letters with it; may be kept when the chooser is gone."""

    text: str = ""
    tokens: list[int] = field(default_factory=list)


class GuidedChooser:
    """State of one row. `avoid`: first tokens that other attempts took; `ends`: stop tokens;
    `said`: where to write what was chosen."""

    def __init__(
        self,
        sampler: Sampler,
        stream: TextStream,
        *,
        vocabulary: Vocabulary,
        memory: CompletionMemory | None = None,
        typed: str = "",
        avoid: Collection[int] = (),
        ends: Collection[int] = (),
        said: Said | None = None,
    ) -> None:
        self._sampler = sampler
        self._stream = stream
        self._vocabulary = vocabulary
        self._memory = memory
        self._typed = typed
        self._avoid = frozenset(avoid)
        self._ends = sorted(ends)
        self._said = Said() if said is None else said
        self.chances: list[float] = []  # of each chosen token beyond the typed letters
        self.first: int | None = None  # the first of these tokens
        self.silence = 0.0  # chance that nothing more belongs on this line, before the first

    @property
    def confidence(self) -> float:
        """0 to 1: the geometric mean of the chances, times the chance that anything belongs here.

        The second factor tells most: on structlog and marshmallow it keeps 87 % of what holes
        show, at 95 % silence where nothing is missing; the mean alone kept 67 % at 94 %.
        """
        if not self.chances:
            return 0.0
        logs = [math.log(max(chance, 1e-9)) for chance in self.chances]
        return math.exp(sum(logs) / len(logs)) * (1.0 - min(self.silence, 1.0))

    def next_token(self, logits_V: Logits) -> int:
        """Raises EngineFailed when the logits are not finite."""
        logits_V = as_array(logits_V)
        if not math.isfinite(float(logits_V.max())):
            raise EngineFailed(
                "The model computed values that are not finite.",
                remedy="Try --dtype float32; if it stays, the model's weights are damaged.",
            )
        chance_V = np.exp(logits_V - logits_V.max())
        chance_V /= chance_V.sum()
        if self._memory is not None:
            chance_V = mix(chance_V, self._memory.evidence(self._said.text))
        needed = self._typed[len(self._said.text) :]
        if needed:
            chance_V = self._only(chance_V, needed)
        beyond = not needed
        if beyond and self.first is None:
            silent = self._vocabulary.newlines[: len(chance_V)]
            self.silence = float(chance_V[: len(silent)][silent].sum())
            self.silence += float(chance_V[self._ends].sum())
        if self._avoid and self.first is None:
            chance_V = self._without(chance_V)
        token = self._sampler.next_token(_logarithm(chance_V))
        self._said.tokens.append(token)
        before = len(self._said.text)
        self._said.text += self._stream.add(token)
        if beyond or len(self._said.text) > len(self._typed) > before:
            self.chances.append(float(chance_V[token] / chance_V.sum()))
            if self.first is None:
                self.first = token
        return token

    def _only(self, chance_V: Chances, needed: str) -> Chances:
        """Nothing but tokens that agree with the letters needed; all of them where none does."""
        ids = self._vocabulary.leading_to(needed)
        kept_V = np.zeros_like(chance_V)
        kept_V[ids] = chance_V[ids] + 1e-12
        return kept_V if len(ids) else chance_V

    def _without(self, chance_V: Chances) -> Chances:
        """Less the first tokens of other attempts, as long as anything else is left."""
        rest_V = chance_V.copy()
        rest_V[list(self._avoid)] = 0.0
        return rest_V if float(rest_V.sum()) > 0 else chance_V


def _logarithm(chance_V: Chances) -> Chances:
    with np.errstate(divide="ignore"):
        return np.log(chance_V)
