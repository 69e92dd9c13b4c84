"""Guesses at the next tokens, and how many of them are worth a wider step.

A source of guesses knows what may follow; whoever checks them makes sure that nothing changes by
them. A guess costs a wider step: the width follows what was accepted of that source lately and
what steps of each width were measured to cost, beside the other rows of the step.

Legend: T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

WIDEST = 16  # tokens of a step that the native kernels take at once
_WIDTHS = (1, 2, 3, 5, 7, 11, 15)  # guesses that are weighed against each other
_LONGEST, _SHORTEST = 8, 2  # tokens of history that must agree
_MEMORY = 0.85  # of the running means
_SLOPE = 0.15  # of a single token's cost for each further one, until it was measured
_LOOK_AGAIN = 50  # steps without a guess after which one is tried: times change


class Guesses(Protocol):
    """One source of guesses for one row."""

    @property
    def source(self) -> str:
        """Its word; what was accepted is counted by it."""
        ...

    def propose(self, said: Sequence[int], most: int) -> Sequence[int]:
        """Up to `most` tokens that may follow the row's answer so far."""
        ...


class Repetition:
    """Code repeats itself: what followed the last tokens where they stood before.

    `tail`: what stands before the answer, where that is not the end of the prompt (a prompt with
    the text after the cursor at its end).
    """

    source = "repetition"

    def __init__(self, prompt: Sequence[int], tail: Sequence[int] | None = None) -> None:
        self._prompt_T = np.asarray(prompt, np.int64)
        self._tail = list(prompt[-_LONGEST:] if tail is None else tail[-_LONGEST:])

    def propose(self, said: Sequence[int], most: int) -> Sequence[int]:
        text_T = np.concatenate((self._prompt_T, np.asarray(said, np.int64)))
        place = last_place(text_T, [*self._tail, *said])
        return [] if place is None else text_T[place : place + most].tolist()


class Expected:
    """One text that is expected as it stands, such as the rest of the last suggestion."""

    source = "suggestion"

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens)

    def propose(self, said: Sequence[int], most: int) -> Sequence[int]:
        if list(said) != self._tokens[: len(said)]:
            return []
        return self._tokens[len(said) : len(said) + most]


def last_place(text_T: NDArray[np.int64], history: Sequence[int]) -> int | None:
    """Place in a text after the longest, then last, match of the end of `history`."""
    if len(text_T) < 2 or len(history) < _SHORTEST:
        return None
    ends = np.flatnonzero(text_T[:-1] == history[-1])  # something has to follow
    found = None
    for back in range(1, min(_LONGEST, len(history))):
        ends = ends[ends >= back]
        ends = ends[text_T[ends - back] == history[-1 - back]]
        if not len(ends):
            break
        if back + 1 >= _SHORTEST:
            found = int(ends[-1]) + 1
    return found


class DraftPace:
    """How many guesses pay, for all rows of one model."""

    def __init__(self) -> None:
        self._cost: dict[int, float] = {}  # running mean of seconds by tokens of a step
        self._taken: dict[str, tuple[float, float]] = {}  # by source: accepted, tried
        self._since: dict[str, int] = {}  # steps without a guess of a source

    def took(self, width: int, seconds: float) -> None:
        """What a step of `width` tokens cost."""
        before = self._cost.get(width, seconds)
        self._cost[width] = _MEMORY * before + (1 - _MEMORY) * min(seconds, 4 * before)

    def learn(self, source: str, *, proposed: int, accepted: int) -> None:
        """How a draft did; a wrong guess ends it, so what came after was not tried."""
        tried = min(proposed, accepted + 1)
        good, all_ = self._taken.get(source, (0.0, 0.0))
        self._taken[source] = (_MEMORY * good + accepted, _MEMORY * all_ + tried)

    def acceptance(self, source: str) -> float:
        """Chance of one guess; 0.6 before anything was learned."""
        good, tried = self._taken.get(source, (0.0, 0.0))
        return (good + 0.3) / (tried + 0.5)

    def cost(self, width: int) -> float:
        """Seconds of a step, 0 where nothing was measured; between measured widths a line."""
        if width in self._cost or not self._cost:
            return self._cost.get(width, 0.0)
        below = max((one for one in self._cost if one < width), default=None)
        above = min((one for one in self._cost if one > width), default=None)
        if below is None:
            assert above is not None
            return self._cost[above]
        if above is None:
            single = self._cost[below] / (1 + _SLOPE * (below - 1))
            return self._cost[below] + _SLOPE * single * (width - below)
        share = (width - below) / (above - below)
        return self._cost[below] + share * (self._cost[above] - self._cost[below])

    def worth(self, source: str, *, beside: int, most: int) -> int:
        """Guesses to look at in a step that computes `beside` tokens anyway."""
        plain = self.cost(beside)
        most = min(most, WIDEST - beside)
        if plain == 0.0 or most < 1:
            return 0
        since = self._since.get(source, 0) + 1
        chance = self.acceptance(source)
        best, best_rate = 0, beside / plain
        for count in _WIDTHS:
            if count > most:
                break
            expected = beside + sum(chance**place for place in range(1, count + 1))
            if (rate := expected / self.cost(beside + count)) > best_rate:
                best, best_rate = count, rate
        if best == 0 and since > _LOOK_AGAIN:
            best = 1
        self._since[source] = 0 if best else since
        return best
