"""How near a text is to the one that was there: exact, by edits, by identifiers."""

from __future__ import annotations

import re
from collections import Counter

_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def edit_distance(one: str, other: str) -> int:
    """Insertions, deletions and replacements between two texts.

    Bit-parallel (Myers 1999, in Hyyrö's form): one pass over `other` with whole-string integers.
    """
    if not one:
        return len(other)
    places: dict[str, int] = {}
    for index, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << index
    mask, top = (1 << len(one)) - 1, 1 << (len(one) - 1)
    positive, negative, distance = mask, 0, len(one)
    for character in other:
        match = places.get(character, 0)
        horizontal = (((match & positive) + positive) ^ positive) | match | negative
        up = negative | (~(horizontal | positive) & mask)
        down = positive & horizontal
        distance += bool(up & top) - bool(down & top)
        up = (up << 1 | 1) & mask
        down = down << 1 & mask
        positive = down | (~(horizontal | up) & mask)
        negative = up & horizontal
    return distance


def edit_similarity(one: str, other: str) -> float:
    """1 for equal texts, 0 for texts with nothing in common."""
    longest = max(len(one), len(other))
    return 1.0 - edit_distance(one, other) / longest if longest else 1.0


def identifier_f1(said: str, truth: str) -> float:
    """Harmonic mean of precision and recall of identifiers, each counted as often as it occurs."""
    found, wanted = Counter(_IDENTIFIER.findall(said)), Counter(_IDENTIFIER.findall(truth))
    if not found and not wanted:
        return 1.0
    common = (found & wanted).total()
    return 2 * common / (found.total() + wanted.total())


def typed_share(said: str, truth: str) -> float:
    """Share of the true text that accepting word by word would have typed: the common start."""
    common = 0
    for one, other in zip(said, truth, strict=False):
        if one != other:
            break
        common += 1
    return common / len(truth) if truth else 0.0


def repeats_suffix(said: str, suffix: str) -> bool:
    """Whether a text says what stands after the cursor already: its line's rest or lines below."""
    rest, _, below = suffix.partition("\n")
    rest, text = rest.strip(), said.rstrip()
    if len(rest) > 1 and text.endswith(rest):
        return True
    following = [line.strip() for line in below.split("\n") if line.strip()][:1]
    last = [line.strip() for line in text.split("\n") if line.strip()][-1:]
    return bool(following) and last == following and len(following[0]) > 3
