"""A suggestion at its place, and the reading of brackets and quotes that filters share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

PAIRS = {")": "(", "]": "[", "}": "{"}
QUOTES = "\"'`"


@dataclass(frozen=True)
class Candidate:
    """`text` stands between `prefix` and `suffix`; "\\n" is the only line end."""

    text: str
    prefix: str
    suffix: str
    language: str = ""

    def saying(self, text: str) -> Candidate:
        """The same place with another text."""
        return replace(self, text=text)

    @cached_property
    def head(self) -> str:
        """The cursor's line up to the cursor."""
        return self.prefix.rsplit("\n", 1)[-1]

    @cached_property
    def rest(self) -> str:
        """The cursor's line after the cursor, without blanks around it."""
        return self.suffix.split("\n", 1)[0].strip()

    @cached_property
    def lines_below(self) -> list[str]:
        """The document's lines under the cursor's that hold text."""
        return [line for line in self.suffix.split("\n")[1:] if line.strip()]

    @cached_property
    def line_above(self) -> str:
        """The last line with text above the cursor's; "" without one."""
        lines = self.prefix.split("\n")[:-1]
        return next((line for line in reversed(lines[-50:]) if line.strip()), "")


def unmatched_closer(text: str, quote: str = "") -> int | None:
    """Place of the first bracket that `text` closes without having opened it.

    `quote`: the quote that is open where the text begins; its end counts as well.
    """
    opened: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        if quote:
            if character == "\\":
                at += 1
            elif character == quote:
                if not opened and quote and _is_given(text, at, quote):
                    return at
                quote = ""
        elif character in QUOTES:
            end = _string_end(text, at)
            if end is None:
                return None
            at = end
        elif character in PAIRS.values():
            opened.append(character)
        elif character in PAIRS:
            if not opened or opened[-1] != PAIRS[character]:
                return at
            opened.pop()
        at += 1
    return None


def _is_given(text: str, at: int, quote: str) -> bool:
    return text[at] == quote


def _string_end(text: str, start: int) -> int | None:
    """Where the string that begins at `start` ends on its line; None where it does not."""
    at = start + 1
    while at < len(text) and text[at] != "\n":
        if text[at] == "\\":
            at += 1
        elif text[at] == text[start]:
            return at
        at += 1
    return None


def open_quote(head: str) -> str:
    """The quote that is open at the end of a line's beginning; "" for none."""
    quote = ""
    skip = False
    for character in head:
        if skip:
            skip = False
        elif quote:
            if character == "\\":
                skip = True
            elif character == quote:
                quote = ""
        elif character in QUOTES:
            quote = character
    return quote


def left_open(text: str) -> list[str]:
    """Brackets that `text` opens and does not close, strings left out."""
    opened: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        if character in QUOTES and (end := _string_end(text, at)) is not None:
            at = end
        elif character in PAIRS.values():
            opened.append(character)
        elif character in PAIRS and opened and opened[-1] == PAIRS[character]:
            opened.pop()
        at += 1
    return opened
