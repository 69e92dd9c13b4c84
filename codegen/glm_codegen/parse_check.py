"""Whether a suggestion breaks the file: parsed with it and without, in the disposable process.

A line that is being written does not parse by itself, so the file is compared with the better of
two texts: without the suggestion, and without the cursor's line. What the suggestion leaves open
on purpose (a bracket, a block) is closed for the test.
"""

from __future__ import annotations

from glm_codegen.cutting.candidate import PAIRS, Candidate, left_open
from glm_context.syntax import Syntax

ANSWER_S = 0.25  # for one parse; beyond it nothing is known
MOST_TEXT = 60_000  # characters
_CLOSERS = {opener: closer for closer, opener in PAIRS.items()}


class ParseCheck:
    """Starts the parse process on first use."""

    def __init__(self) -> None:
        self._syntax = Syntax(answer_s=ANSWER_S)
        self._base: tuple[tuple[str, str, str], int | None] | None = None

    def breaks(self, candidate: Candidate) -> bool:
        """False where it cannot be known: no grammar, a text beyond budget."""
        size = len(candidate.prefix) + len(candidate.text) + len(candidate.suffix)
        if not candidate.text or size > MOST_TEXT:
            return False
        base = self._without(candidate)
        if base is None:
            return False
        for closing in endings(candidate):
            text = candidate.prefix + candidate.text + closing + candidate.suffix
            found = self._count(text, candidate.language)
            if found is None or found <= base:
                return False
        return True

    def close(self) -> None:
        self._syntax.close()

    def _without(self, candidate: Candidate) -> int | None:
        place = (candidate.prefix, candidate.suffix, candidate.language)
        if self._base is None or self._base[0] != place:
            self._base = (place, self._least(candidate))
        return self._base[1]

    def _least(self, candidate: Candidate) -> int | None:
        before = candidate.prefix[: len(candidate.prefix) - len(candidate.head)]
        after = candidate.suffix.partition("\n")[2]
        whole = self._count(candidate.prefix + candidate.suffix, candidate.language)
        if not whole:
            return whole
        without = self._count(before + after, candidate.language)
        return whole if without is None else min(whole, without)

    def _count(self, text: str, language: str) -> int | None:
        found = self._syntax.problems(text, language)
        return None if found is None else len(found)


def endings(candidate: Candidate) -> list[str]:
    """Texts that close what the suggestion leaves open: none, a body, brackets."""
    found = [""]
    text = candidate.text.rstrip()
    line = (candidate.head + candidate.text).rsplit("\n", 1)[-1]
    indent = line[: len(line) - len(line.lstrip())]
    if text.endswith(":"):
        found.append(f"\n{indent}    pass")
    opened = left_open(candidate.head + candidate.text)
    if opened:
        closers = "".join(_CLOSERS[bracket] for bracket in reversed(opened))
        found += [closers, f"\n{indent}{closers}", f"{closers};"]
    return found
