"""Filters that compare a suggestion with the text that stands after the cursor already."""

from __future__ import annotations

from glm_codegen.cutting.candidate import (
    PAIRS,
    Candidate,
    left_open,
    open_quote,
    unmatched_closer,
)

ALIKE = 0.05  # share of a line's characters that may differ in a repeated line
SHORTEST_ALIKE = 12  # characters; shorter lines must be equal
_WORDLESS = set("()[]{};,: \t")


def mid_line(candidate: Candidate) -> str:
    """Text follows the cursor on its line: no further lines can be meant."""
    if not candidate.rest:
        return candidate.text
    first, _, _ = candidate.text.partition("\n")
    return first


def closed_already(candidate: Candidate) -> str:
    """A bracket or quote that stands after the cursor is not closed a second time.

    The text ends before the first closer that it did not open, where the same closer follows
    the cursor.
    """
    if not candidate.rest:
        return candidate.text
    quote = open_quote(candidate.head)
    place = unmatched_closer(candidate.text, quote)
    if place is None or candidate.text[place] != candidate.rest[0]:
        return candidate.text
    return candidate.text[:place]


def suffix_overlap(candidate: Candidate) -> str:
    """The end of the text is what follows the cursor on its line: it is said once.

    Not where the overlap closes a bracket that the text itself opened.
    """
    rest, text = candidate.rest, candidate.text
    trimmed = text.rstrip()
    for length in range(min(len(rest), len(trimmed)), 0, -1):
        kept = trimmed[: len(trimmed) - length]
        if not trimmed.endswith(rest[:length]):
            continue
        if length < len(rest) and (length < 3 or rest[length - 1].isalnum()):
            return text  # a few letters that happen to be the same
        if rest[0].isalnum() and kept and (kept[-1].isalnum() or kept[-1] == "_"):
            return text  # the middle of a longer word
        closed = [c for c in rest[:length] if c in PAIRS]
        opened = left_open(kept)
        if closed and opened and PAIRS[closed[0]] == opened[-1]:
            return text
        return kept.rstrip() if candidate.suffix[:1] in (" ", "\t") else kept
    return text


def repeats_below(candidate: Candidate) -> str:
    """Lines that stand below the cursor already are not offered again."""
    below = candidate.lines_below
    if not below or candidate.rest:
        return candidate.text
    lines = candidate.text.split("\n")
    first = (candidate.head + lines[0]).strip()
    full = [first, *(line.strip() for line in lines[1:])]
    for start, line in enumerate(full):
        if not line or not alike(line, below[0].strip()):
            continue
        following = [other for other in full[start:] if other]
        pairs = zip(following, below, strict=False)
        if not all(alike(one, other.strip()) for one, other in pairs):
            continue
        if not _tells(following, candidate, "\n".join(lines[:start])):
            continue
        return "\n".join(lines[:start]).rstrip()
    return candidate.text


def _tells(lines: list[str], candidate: Candidate, kept: str) -> bool:
    """Whether the repetition is one: brackets alone repeat by nature, unless nothing is open."""
    if any(not set(line) <= _WORDLESS for line in lines):
        # One short line, such as `return x`, may well come twice; the first may not.
        return len(lines) > 1 or len(lines[0]) >= SHORTEST_ALIKE or not kept.strip()
    closers = [character for line in lines for character in line if character in PAIRS]
    return bool(closers) and not left_open(candidate.head + kept)


def alike(one: str, other: str) -> bool:
    """Equal, or for longer lines all but equal."""
    if one == other:
        return True
    longest = max(len(one), len(other))
    if min(len(one), len(other)) < SHORTEST_ALIKE:
        return False
    return distance_within(one, other, max(1, int(ALIKE * longest)))


def distance_within(one: str, other: str, most: int) -> bool:
    """Whether at most `most` insertions, deletions or replacements lead from one to the other."""
    if abs(len(one) - len(other)) > most:
        return False
    row = list(range(len(other) + 1))
    for number, a in enumerate(one, 1):
        previous, row[0] = row[0], number
        for place, b in enumerate(other, 1):
            previous, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, previous + (a != b)),
            )
        if min(row) > most:
            return False
    return row[-1] <= most
