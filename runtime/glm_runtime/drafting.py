"""Guesses at the next tokens from the tokens that are there, and how many are worth checking.

Code repeats itself: where the last tokens stood before in the prompt, what followed them then is
a good guess now. A guess costs a wider step; the width follows what was accepted lately and what
wide steps were measured to cost. Knows tokens; whoever checks the guesses makes sure that nothing
changes by them.
"""

from __future__ import annotations

from collections.abc import Sequence

WIDEST = 8  # tokens of a step, the certain one included
_LONGEST, _SHORTEST = 4, 2  # tokens of history that must agree
_MEMORY = 0.85  # of the running means


class Drafter:
    """The history of one conversation at a time."""

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._places: dict[tuple[int, ...], int] = {}  # of the token after a history
        self._accepted = 0.6  # running mean of accepted / proposed
        self._cost = {1: 0.0}  # running mean of seconds by width of step
        self._since_draft = 0

    def begin(self, tokens: Sequence[int]) -> None:
        """Take up a prompt; what both begin with is not read again."""
        common = 0
        for mine, theirs in zip(self._tokens, tokens, strict=False):
            if mine != theirs:
                break
            common += 1
        if common < len(self._tokens):
            self._tokens, self._places, common = [], {}, 0
        for token in tokens[common:]:
            self.add(token)

    def add(self, token: int) -> None:
        """A token that is certain."""
        held = self._tokens
        for length in range(_SHORTEST, _LONGEST + 1):
            if len(held) >= length:
                self._places[tuple(held[-length:])] = len(held)
        held.append(token)

    def propose(self) -> list[int]:
        """Tokens that may follow; none where nothing agrees or guessing does not pay now."""
        most = self._worth()
        if most == 0:
            return []
        for length in range(_LONGEST, _SHORTEST - 1, -1):
            place = self._places.get(tuple(self._tokens[-length:]))
            if place is not None and place < len(self._tokens):
                return self._tokens[place : place + most]
        return []

    def learn(self, *, proposed: int, accepted: int) -> None:
        """How a draft did."""
        if proposed:
            share = accepted / proposed
            self._accepted = _MEMORY * self._accepted + (1 - _MEMORY) * share

    def took(self, width: int, seconds: float) -> None:
        """What a step of `width` tokens cost."""
        before = self._cost.get(width) or seconds
        self._cost[width] = _MEMORY * before + (1 - _MEMORY) * seconds

    def _worth(self) -> int:
        """Tokens to propose: the width of the most expected tokens a second."""
        single = self._cost[1]
        if single == 0.0:
            return 0  # nothing was measured yet
        self._since_draft += 1
        best, best_rate = 0, 1.0 / single
        for width in (2, 4, WIDEST):
            rate = sum(self._accepted**i for i in range(width)) / self._cost.get(width, single)
            if rate > best_rate:
                best, best_rate = width - 1, rate
        if best == 0 and self._since_draft > 50:  # times change: look again now and then
            best = 1
        if best:
            self._since_draft = 0
        return best
