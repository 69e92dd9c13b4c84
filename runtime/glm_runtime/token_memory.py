"""What followed which tokens, in the documents of one workspace: exact counts, no learning.

Documents are added, replaced and forgotten at any time. Each position is filed under the eight
tokens before it, nearest first, in sorted arrays: every history of one to eight tokens is then a
run of neighbours, found by bisection. New documents make small segments; segments of like size
are merged, so a document is sorted again a logarithmic number of times.

Cost: 36 bytes a token, one lookup some tenths of a millisecond. Bounded: over `limit` tokens the
documents that were added longest ago go. Knows tokens, neither text nor models; drafting may ask
it as well as mixing (`memory_mix`).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST = 8  # tokens of history
SHORTEST = 3  # that a guess needs
MOST_LOOKED_AT = 1024  # positions of one history and segment; more are sampled evenly
_KNOWN = 64  # answers that are remembered
_SLOTS = 4  # tokens in a 64-bit key, 16 bits each
_EDGE = 0  # stands before the first token of a document

Ids = NDArray[np.int64]
_NO_ROWS: Ids = np.empty(0, np.int64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Followers:
    """What followed one history: distinct tokens with their counts."""

    tokens: Ids
    counts: Ids

    @property
    def total(self) -> int:
        return int(self.counts.sum())


class TokenMemory:
    """The documents of one workspace, by name."""

    def __init__(self, *, limit: int = 2_000_000) -> None:
        self._limit = limit
        self._segments: list[_Segment] = []
        self._sizes: dict[str, int] = {}  # living documents, oldest first
        self._known: dict[tuple[str, tuple[int, ...]], list[Followers | None]] = {}

    @property
    def tokens(self) -> int:
        """Tokens of living documents."""
        return sum(self._sizes.values())

    @property
    def documents(self) -> int:
        return len(self._sizes)

    def __contains__(self, name: str) -> bool:
        return name in self._sizes

    def add(self, documents: Iterable[tuple[str, Sequence[int]]]) -> None:
        """Add documents, each in place of the one of that name. A longer one than fits is cut."""
        fresh = {name: np.asarray(ids[: self._limit], np.int64) for name, ids in documents}
        fresh = {name: ids for name, ids in fresh.items() if len(ids)}
        if not fresh:
            return
        for name in fresh:
            self.forget(name)
        self._sizes |= {name: len(ids) for name, ids in fresh.items()}
        self._known.clear()
        self._segments.append(_Segment(list(fresh.items())))
        held = self.tokens
        for name in list(self._sizes):
            if held <= self._limit:
                break
            held -= self._sizes[name]
            self.forget(name)
        self._merge()

    def forget(self, name: str) -> None:
        """Drop a document; unknown names are ignored."""
        if self._sizes.pop(name, None) is not None:
            self._known.clear()
            for segment in self._segments:
                segment.forget(name)

    def lookup(self, history: Sequence[int], *, besides: str = "") -> list[Followers | None]:
        """What followed the last 1, 2, … `LONGEST` tokens of `history`; None where never met.

        `besides`: a document that does not count, because a newer text of it is at hand.
        What was asked last is remembered: typing through a suggestion asks the same again.
        """
        asked = besides, tuple(history[-LONGEST:])
        if asked not in self._known:
            if len(self._known) == _KNOWN:
                del self._known[next(iter(self._known))]
            self._known[asked] = self._look_up(*asked)
        return list(self._known[asked])

    def _look_up(self, besides: str, history: Sequence[int]) -> list[Followers | None]:
        keys = _query(history)
        found: list[list[Ids]] = [[] for _ in range(LONGEST)]
        for segment in self._segments:
            for place, tokens in enumerate(segment.followers(keys, besides)):
                if len(tokens):
                    found[place].append(tokens)
        counted: list[Followers | None] = []
        for place, parts in enumerate(found):
            # A longer history that was met as often as the shorter one was met at the same places.
            known = place > 0 and _are(parts, found[place - 1])
            counted.append(counted[-1] if known else _count(parts))
        return counted

    def continuation(self, history: Sequence[int], most: int, *, besides: str = "") -> list[int]:
        """Up to `most` tokens as they stand in a document after the longest history that was met.

        At least `SHORTEST` tokens have to agree. Where it was met more often, after the most
        frequent next token. For guesses: one lookup gives many tokens.
        """
        keys = _query(history)
        longest, found = SHORTEST - 1, list[int]()
        for segment in reversed(self._segments):
            length, tokens = segment.continuation(keys, besides, most, over=longest)
            if length > longest:
                longest, found = length, tokens
        return found

    def _merge(self) -> None:
        """Join the newest segments while they are of like size; the dead are left behind."""
        while len(self._segments) > 1:
            last, before = self._segments[-1], self._segments[-2]
            if before.size > 2 * last.size:
                return
            living = [*before.living(), *last.living()]
            self._segments[-2:] = [_Segment(living)] if living else []


class _Segment:
    """Documents laid end to end, each position filed under its history."""

    def __init__(self, documents: list[tuple[str, Ids]]) -> None:
        self._names = {name: number for number, (name, _) in enumerate(documents)}
        self._texts = [ids for _, ids in documents]  # kept for the next merge
        self._dead = np.zeros(len(documents), bool)
        edge = np.asarray([-1])
        laid = np.concatenate([part for ids in self._texts for part in (edge, ids)])
        sizes = [len(ids) + 1 for ids in self._texts]
        owner = np.repeat(np.arange(len(documents)), sizes)
        self._first = np.cumsum([1, *sizes[:-1]])  # place of each document's first token
        self.size = len(laid)
        near, far = _keys(laid, 0), _keys(laid, _SLOTS)
        real = laid >= 0
        order = np.lexsort((far, near))
        order = order[real[order]]
        self._near, self._far = near[order], far[order]
        self._token = laid[order].astype(np.int32)
        self._owner = owner[order].astype(np.int32)
        self._place = order.astype(np.int32)

    def forget(self, name: str) -> None:
        number = self._names.pop(name, None)
        if number is not None:
            self._dead[number] = True
            self._texts[number] = np.empty(0, np.int64)

    def living(self) -> list[tuple[str, Ids]]:
        return [(name, self._texts[number]) for name, number in self._names.items()]

    def followers(self, keys: _Keys, besides: str) -> list[Ids]:
        """For each length of history, shortest first, the tokens that followed it; the same object
        where those of the shorter one did."""
        excluded = self._names.get(besides, -1)
        found: list[Ids] = []
        last = (0, 0)
        for begin, end in self._runs(keys):
            if begin < end:
                same = (begin, end) == last
                found.append(found[-1] if same else self._followers(begin, end, excluded))
            last = (begin, end)
        return found

    def _followers(self, begin: int, end: int, excluded: int) -> Ids:
        return self._token[self._living_of(begin, end, excluded)].astype(np.int64)

    def continuation(
        self, keys: _Keys, besides: str, most: int, *, over: int
    ) -> tuple[int, list[int]]:
        """(length of history, tokens after it) for the longest above `over`; (0, []) for none."""
        excluded = self._names.get(besides, -1)
        runs = self._runs(keys)
        for length in range(len(runs), over, -1):
            begin, end = runs[length - 1]
            rows = self._living_of(begin, end, excluded) if begin < end else _NO_ROWS
            if len(rows):
                tokens, counts = np.unique(self._token[rows], return_counts=True)
                row = rows[self._token[rows] == tokens[counts.argmax()]][-1]
                owner = int(self._owner[row])
                start = int(self._place[row] - self._first[owner])
                return length, self._texts[owner][start : start + most].tolist()
        return 0, []

    def _runs(self, keys: _Keys) -> list[tuple[int, int]]:
        """Rows that are filed under the last 1, 2, … tokens; those beyond 4 where 4 were met."""
        low = np.searchsorted(self._near, keys.near_low, "left")
        high = np.searchsorted(self._near, keys.near_high, "right")
        runs = list(zip(low.tolist(), high.tolist(), strict=True))
        begin, end = runs[-1]
        if begin < end:
            far = self._far[begin:end]
            low = begin + np.searchsorted(far, keys.far_low, "left")
            high = begin + np.searchsorted(far, keys.far_high, "right")
            runs += zip(low.tolist(), high.tolist(), strict=True)
        return runs

    def _living_of(self, begin: int, end: int, excluded: int) -> Ids:
        """Rows from `begin` to `end`, sampled, without those of the dead and of `excluded`."""
        rows = np.arange(begin, end, -(-(end - begin) // MOST_LOOKED_AT))
        if excluded < 0 and len(self._names) == len(self._dead):
            return rows
        owner = self._owner[rows]
        kept: Ids = rows[~self._dead[owner] & (owner != excluded)]
        return kept


@dataclass(frozen=True, kw_only=True, slots=True)
class _Keys:
    """The bounds between which the runs of one history lie, shortest history first."""

    near_low: NDArray[np.uint64]
    near_high: NDArray[np.uint64]
    far_low: NDArray[np.uint64]
    far_high: NDArray[np.uint64]


def _slot(token: int) -> int:
    """16 bits of a token id; larger vocabularies share slots, which costs a little exactness."""
    return _EDGE if token < 0 else 1 + token % 65535


def _keys(laid: Ids, skip: int) -> NDArray[np.uint64]:
    """Key of the four tokens before each position that `skip` further ones stand behind."""
    slots = np.where(laid < 0, _EDGE, 1 + laid % 65535).astype(np.uint64)
    key = np.zeros(len(laid), np.uint64)
    for place in range(_SLOTS):
        back = skip + place + 1
        shifted = np.zeros(len(laid), np.uint64)
        shifted[back:] = slots[: max(len(laid) - back, 0)]
        key = key << np.uint64(16) | shifted
    return key


def _query(history: Sequence[int]) -> _Keys:
    recent = [_slot(token) for token in reversed(history[-LONGEST:])]
    recent += [_EDGE] * (LONGEST - len(recent))
    bounds = [_bounds(recent[:_SLOTS]), _bounds(recent[_SLOTS:])]
    return _Keys(
        near_low=bounds[0][0], near_high=bounds[0][1], far_low=bounds[1][0], far_high=bounds[1][1]
    )


def _bounds(slots: Sequence[int]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    low, high = [], []
    key = 0
    for place, slot in enumerate(slots):
        left = 16 * (_SLOTS - 1 - place)
        key |= slot << left
        low.append(key)
        high.append(key | (1 << left) - 1)
    return np.asarray(low, np.uint64), np.asarray(high, np.uint64)


def _are(parts: list[Ids], others: list[Ids]) -> bool:
    """Whether they are the very same arrays."""
    return len(parts) == len(others) and all(map(operator.is_, parts, others))


def _count(parts: list[Ids]) -> Followers | None:
    if not parts:
        return None
    if len(parts) == 1 and len(parts[0]) == 1:
        return Followers(tokens=parts[0], counts=np.ones(1, np.int64))
    tokens, counts = np.unique(np.concatenate(parts), return_counts=True)
    return Followers(tokens=tokens.astype(np.int64), counts=counts.astype(np.int64))
