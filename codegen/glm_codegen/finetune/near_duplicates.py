"""Files that say nearly the same: MinHash proposes, the true Jaccard similarity decides.

Shingles are runs of five words or marks. Used within the training set, and between it and the
held-out text, where a near-duplicate would make a gain out of memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rensa import RMinHash, RMinHashLSH  # type: ignore[import-untyped]

WORD = re.compile(r"\w+|[^\w\s]")
SHINGLE = 5
ALIKE = 0.7  # Jaccard similarity from which two texts are near-duplicates
_HASHES, _BANDS = 128, 32
_PROPOSED = 0.5


def shingles(text: str) -> frozenset[str]:
    """Runs of five words of `text`; the whole text where it is shorter."""
    words = WORD.findall(text)
    if len(words) <= SHINGLE:
        return frozenset([" ".join(words)]) if words else frozenset()
    return frozenset(
        " ".join(words[start : start + SHINGLE]) for start in range(len(words) - SHINGLE + 1)
    )


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard similarity."""
    union = len(one | other)
    return len(one & other) / union if union else 0.0


def near_duplicates(texts: Sequence[str], *, against: Sequence[str] = ()) -> list[int]:
    """Numbers of the texts that repeat an earlier one of `texts`, or one of `against`."""
    index = RMinHashLSH(threshold=_PROPOSED, num_perm=_HASHES, num_bands=_BANDS)
    known: list[frozenset[str]] = []
    for text in against:
        _insert(index, known, shingles(text))
    found = []
    for number, text in enumerate(texts):
        marks = shingles(text)
        proposed = index.query(_hash(marks)) if marks else []
        if any(similarity(marks, known[other]) >= ALIKE for other in proposed):
            found.append(number)
        else:
            _insert(index, known, marks)
    return found


def _insert(index: RMinHashLSH, known: list[frozenset[str]], marks: frozenset[str]) -> None:
    if marks:
        index.insert(len(known), _hash(marks))
        known.append(marks)


def _hash(marks: frozenset[str]) -> RMinHash:
    minhash = RMinHash(num_perm=_HASHES, seed=1)
    minhash.update(sorted(marks))
    return minhash
