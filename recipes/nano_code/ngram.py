"""Baseline: a token n-gram model with a cache of the open file. Counting, no learning.

Orders 1 to 5 over the same tokens as nano-code, Witten-Bell interpolated; the cache is a second
model of orders 1 to 4 over the tokens that stand around the cursor, mixed in. Greedy completion
takes the most frequent successor of the longest known history, the open file's first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ORDER = 5
CACHE_ORDER = 4
CACHE_SHARE = 0.3
FOLD = np.uint64(1_000_003)
MASK = np.uint64((1 << 48) - 1)
VOCABULARY_BITS = 13


def fold_history(history: Sequence[int]) -> int:
    """48-bit key of a run of tokens."""
    key = 0
    for token in history:
        key = (key * int(FOLD) + token + 1) & int(MASK)
    return key


def folded_windows(tokens: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """Key of the `length` tokens before each position from `length` on."""
    key = np.zeros(len(tokens) - length, dtype=np.uint64)
    for offset in range(length):
        key = (key * FOLD + tokens[offset : len(tokens) - length + offset] + np.uint64(1)) & MASK
    return key


@dataclass(frozen=True, kw_only=True)
class History:
    """What followed one history: how often, how many different tokens, and which most."""

    total: int
    kinds: int
    best: int


class StaticCounts:
    """Counts of one order, as sorted arrays."""

    def __init__(self, tokens: NDArray[np.uint64], history: int) -> None:
        """Count what follows each run of `history` tokens."""
        key = folded_windows(tokens, history)
        follower = tokens[history:]
        mixed = (key * np.uint64(0x9E3779B97F4A7C15)) ^ (follower * np.uint64(0xC2B2AE3D27D4EB4F))
        self._pairs, first, counts = np.unique(mixed, return_index=True, return_counts=True)
        self._pair_counts = counts
        by_key = np.lexsort((counts, key[first]))
        keys = key[first][by_key]
        starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
        ends = np.r_[starts[1:], len(keys)] - 1
        self._keys = keys[starts]
        self._totals = np.add.reduceat(counts[by_key], starts)
        self._kinds = ends - starts + 1
        self._best = follower[first][by_key][ends]

    def history(self, key: int) -> History | None:
        """What is known of a history."""
        at = int(np.searchsorted(self._keys, np.uint64(key)))
        if at == len(self._keys) or int(self._keys[at]) != key:
            return None
        return History(
            total=int(self._totals[at]), kinds=int(self._kinds[at]), best=int(self._best[at])
        )

    def count(self, key: int, token: int) -> int:
        """How often `token` followed the history."""
        mixed = (key * 0x9E3779B97F4A7C15 & (1 << 64) - 1) ^ (
            token * 0xC2B2AE3D27D4EB4F & (1 << 64) - 1
        )
        at = int(np.searchsorted(self._pairs, np.uint64(mixed)))
        if at == len(self._pairs) or int(self._pairs[at]) != mixed:
            return 0
        return int(self._pair_counts[at])


class CacheCounts:
    """Counts of the open file, small enough for dictionaries."""

    def __init__(self) -> None:
        """Empty."""
        self._followers: dict[tuple[int, ...], Counter[int]] = {}

    def add(self, tokens: Sequence[int], start: int = 0) -> None:
        """Count every token from `start` on behind its histories of up to three tokens."""
        for at in range(start, len(tokens)):
            for length in range(min(at, CACHE_ORDER - 1) + 1):
                history = tuple(tokens[at - length : at])
                self._followers.setdefault(history, Counter())[tokens[at]] += 1

    def followers(self, history: Sequence[int]) -> Counter[int] | None:
        """What followed a history, if it was met."""
        return self._followers.get(tuple(history))


class NgramModel:
    """The static counts of a slice of the corpus; the cache is given with each question."""

    def __init__(self, tokens: Sequence[int], vocabulary: int) -> None:
        """Count `tokens` (files laid end to end) for orders 1 to 5."""
        array = np.asarray(tokens, dtype=np.uint64)
        self._orders = [StaticCounts(array, length) for length in range(ORDER)]
        self._vocabulary = vocabulary

    def probability(self, history: Sequence[int], token: int, cache: CacheCounts) -> float:
        """Mixed probability of `token` after `history`."""
        static = 1.0 / self._vocabulary
        for length in range(min(len(history), ORDER - 1) + 1):
            key = fold_history(history[len(history) - length :])
            known = self._orders[length].history(key)
            if known is None:
                break
            seen = self._orders[length].count(key, token)
            static = (seen + known.kinds * static) / (known.total + known.kinds)
        near = 1.0 / self._vocabulary
        for length in range(min(len(history), CACHE_ORDER - 1) + 1):
            followers = cache.followers(history[len(history) - length :])
            if followers is None:
                break
            total, kinds = followers.total(), len(followers)
            near = (followers[token] + kinds * near) / (total + kinds)
        return (1 - CACHE_SHARE) * static + CACHE_SHARE * near

    def next_token(self, history: Sequence[int], cache: CacheCounts) -> int:
        """Most frequent successor of the longest history that was met, the cache's first."""
        for length in range(min(len(history), ORDER - 1), -1, -1):
            recent = history[len(history) - length :]
            followers = cache.followers(recent) if length < CACHE_ORDER else None
            if followers:
                return followers.most_common(1)[0][0]
            known = self._orders[length].history(fold_history(recent))
            if known is not None:
                return known.best
        raise AssertionError("order one knows every history")
