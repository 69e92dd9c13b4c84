"""Filters against a model that goes round in circles, or says what stands above."""

from __future__ import annotations

import re

from glm_codegen.cutting.candidate import Candidate
from glm_codegen.cutting.suffix_filters import SHORTEST_ALIKE, alike

_CIRCLES = (re.compile(r"(.{3,24}?)\1{5,}"), re.compile(r"(.{8,80}?)\1{3,}"))
_RULE = re.compile(r"[-=#*_~./\\ ]+")  # lines of dashes and the like are drawn on purpose
LONGEST_PERIOD = 4  # lines
MOST_TIMES = 3  # a line may stand so often in a row


def circles(candidate: Candidate) -> str:
    """A few characters again and again: the line where it begins is left out, and all after."""
    for pattern in _CIRCLES:
        for found in pattern.finditer(candidate.text):
            if _RULE.fullmatch(found.group(1)) or _is_data(found.group(1)):
                continue
            start = candidate.text.rfind("\n", 0, found.start()) + 1
            return candidate.text[:start].rstrip() if start else ""
    return candidate.text


def _is_data(unit: str) -> bool:
    """Rows of numbers and empty cells repeat in honest code: `0, 0, 0, 0,`."""
    return not re.search(r"[A-Za-z]{2}", unit)


def repeated_lines(candidate: Candidate) -> str:
    """The same lines over and over, in periods of one to four: what repeats is said once."""
    lines = candidate.text.split("\n")
    for period in range(1, LONGEST_PERIOD + 1):
        times = MOST_TIMES if period == 1 else 2
        for start in range(len(lines) - period * times + 1):
            unit = lines[start : start + period]
            if not _worth(unit):
                continue
            blocks = [lines[start + n * period : start + (n + 1) * period] for n in range(1, times)]
            if all(_same(unit, block) for block in blocks):
                return "\n".join(lines[: start + period]).rstrip()
    return candidate.text


def _worth(unit: list[str]) -> bool:
    return sum(len(line.strip()) for line in unit) >= SHORTEST_ALIKE and any(
        re.search(r"[A-Za-z]{2}", line) for line in unit
    )


def _same(unit: list[str], block: list[str]) -> bool:
    return all(one.strip() == other.strip() for one, other in zip(unit, block, strict=True))


def rewrites_above(candidate: Candidate) -> str:
    """The completed line would be the line above it once more."""
    first, newline, _ = candidate.text.partition("\n")
    line = (candidate.head + first).strip()
    if newline or candidate.rest or len(line) < SHORTEST_ALIKE:
        return candidate.text
    same = line == candidate.line_above.strip() and not _is_data(line)
    return "" if same else candidate.text


def repeats_head(candidate: Candidate) -> str:
    """Some models begin by saying the typed part of the line again: it is taken off."""
    head = candidate.head.strip()
    text = candidate.text.lstrip(" \t")
    if len(head) >= 4 and text.startswith(head) and not alike(text, candidate.line_above.strip()):
        rest = text[len(head) :]
        return rest.lstrip(" ") if candidate.head.endswith(" ") or not rest.strip() else rest
    return candidate.text
