"""From attempts at one cursor to what a person is shown: cut, checked, gated, reported.

The first attempt is the model's likeliest text. Another one is made where it is cut away, breaks
the file's parse, or where alternatives were asked for; it starts with another token. Of a block
that breaks the parse as many lines are kept as do not. What breaks it still is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from glm_codegen.cutting.candidate import Candidate
from glm_codegen.cutting.pipeline import cut
from glm_codegen.parse_check import ParseCheck
from glm_protocol.completion import GhostText
from glm_protocol.request_fields import Trigger

SPARE = 1  # attempts beyond the count that was asked for
MOST_TRIMMED = 8  # lines of a block that are tried without
# Text after the cursor beside which a suggestion is welcome: closers and an end of statement.
_WELCOME = re.compile(r"""\s*[)>}\]"'`]*\s*[:{;,]?\s*""")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """`said` is the model's, `shown` what the filters left of it."""

    said: str
    shown: str
    cut_by: tuple[str, ...]
    confidence: float
    breaks: bool


class GhostAttempts:
    """Collects the attempts of one request."""

    def __init__(
        self, wanted: GhostText, trigger: Trigger, place: Candidate, check: ParseCheck
    ) -> None:
        self._wanted = wanted
        self._trigger = trigger
        self._place = place
        self._check = check
        self.attempts: list[Attempt] = []

    def take(self, said: str, confidence: float, *, unfinished: bool = False) -> None:
        """An attempt that ended; `unfinished`: budget or time ran out, inside a line perhaps."""
        found = cut(self._place.saying(said))
        shown, by = found.text, found.by
        if unfinished and "\n" in shown.strip():
            shown, by = shown[: shown.rindex("\n")].rstrip(), (*by, "unfinished_line")
        breaks = self._check.breaks(self._place.saying(shown))
        if breaks and (kept := self._unbroken_lines(shown)):
            shown, by, breaks = kept, (*by, "broken_lines"), False
        self.attempts.append(
            Attempt(said=said, shown=shown, cut_by=by, confidence=confidence, breaks=breaks)
        )

    def _unbroken_lines(self, text: str) -> str:
        """The longest run of first lines that does not break the parse; "" for none."""
        lines = text.split("\n")
        for count in range(len(lines) - 1, max(0, len(lines) - 1 - MOST_TRIMMED), -1):
            kept = "\n".join(lines[:count]).rstrip()
            place = self._place.saying(kept)
            if kept.strip() and not self._check.breaks(place, whole=True):
                return kept
        return ""

    @property
    def wants_more(self) -> bool:
        if self.silenced or len(self.attempts) >= self._wanted.count + SPARE:
            return False
        return len(self._good()) < self._wanted.count

    @property
    def silenced(self) -> str:
        """Why nothing is shown here whatever the model says; "" where it may."""
        if self._trigger is not Trigger.EXPLICIT and not _WELCOME.fullmatch(self._place.rest):
            return "mid_line"
        return ""

    def _is_between_lines(self, text: str) -> bool:
        """New lines between a line that is written and the one below it: nobody asked for them."""
        below = self._place.suffix.split("\n", 2)[1:2]
        squeezed = text.startswith("\n") and bool(below) and bool(below[0].strip())
        return squeezed and self._trigger is not Trigger.EXPLICIT

    def _good(self) -> list[Attempt]:
        """Distinct texts to show, in the order they were made."""
        found: dict[str, Attempt] = {}
        for attempt in self.attempts:
            if attempt.shown and not attempt.breaks:
                found.setdefault(attempt.shown.strip(), attempt)
        return list(found.values())

    def report(self, restore: Callable[[str], str]) -> dict[str, Any]:
        """The words for `End.report`."""
        good = self._good()
        gate = self.silenced
        if not gate and not good:
            gate = "parse" if any(one.shown for one in self.attempts) else "filters"
        best = good[0] if good else self.attempts[0]
        if not gate and self._is_between_lines(best.shown):
            gate = "between_lines"
        if not gate and best.confidence < self._wanted.quiet:
            gate = "confidence"
        return {
            "final": "" if gate else restore(best.shown),
            "alternatives": [] if gate else [restore(one.shown) for one in good[1:]],
            "confidence": round(best.confidence, 4),
            "gate": {"withheld": gate, "quiet": self._wanted.quiet},
            "cut_by": list(best.cut_by),
            "attempts": len(self.attempts),
            "breaks_parse": best.breaks,
        }
