"""Where a block of code ends: a rule of indentation, read line by line as text arrives.

    cursor after text        the block is what is indented deeper; it ends before the next line
    (`def f():|`)            at the cursor line's own level, or with a line that only closes it
                             (`}`, `end`); `else`, `except`, `} catch` and their like go on
    cursor on a blank line   the first line of text sets the level; the block ends before the
                             first line that is indented less
    in both                  it ends before a line that repeats the next line of the document

Blank lines belong to what follows them. A heuristic: languages without indentation end by the
model's own stop or by the budget.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from glm_protocol.completion import CodeContext

_CLOSER = re.compile(r"(?:[)}\]]+[;,)]*|end|fi|done|esac)$")
_GOES_ON = re.compile(
    r"(?:else|elif|elsif|except|finally|catch|rescue|ensure|case|default|when|while|then|do)\b"
    r"|[)}\]]|public:|private:|protected:|\{"
)
_TAB = 4  # columns; only comparisons matter
_MIN_REPEATED = 4  # characters: `}` and `)` alone are no sign of repetition


class Verdict(Enum):
    """What a line means for the block."""

    GOES_ON = auto()
    UNDECIDED = auto()  # more of the line is needed
    ENDS_BEFORE = auto()
    ENDS_AFTER = auto()


def indentation(line: str) -> int:
    """Columns of white space before the text."""
    expanded = line.expandtabs(_TAB)
    return len(expanded) - len(expanded.lstrip(" "))


class BlockEnd:
    """Reads the lines of one completion. Feed each line until it is decided, then the next."""

    def __init__(self, context: CodeContext) -> None:
        line = context.prefix.rsplit("\n", 1)[-1]
        self._after_text = bool(line.strip())
        self._cursor_line = line
        self._level: int | None = indentation(line) if self._after_text else None
        self._deeper = False
        following = context.suffix.split("\n")
        rest = following[0].strip()
        self._next_line = "" if rest else next((s.strip() for s in following if s.strip()), "")

    def judge(self, line: str, *, first: bool, complete: bool) -> Verdict:
        """`first`: the line continues the cursor's own; `complete`: its end was seen."""
        text = line.strip()
        if not text:
            return Verdict.GOES_ON if complete or first else Verdict.UNDECIDED
        if not first or not self._after_text:
            repeats = self._repeats(text, complete=complete)
            if repeats is not None:
                return repeats
        if first and self._after_text:
            return Verdict.GOES_ON
        column = indentation(self._cursor_line + line if first else line)
        if self._level is None:
            self._level = column
            return Verdict.GOES_ON
        if column > self._level:
            self._deeper = True
            return Verdict.GOES_ON
        if column < self._level:
            return Verdict.ENDS_BEFORE
        if not (self._after_text and self._deeper):
            return Verdict.GOES_ON
        return self._at_level(text, complete=complete)

    def _repeats(self, text: str, *, complete: bool) -> Verdict | None:
        if len(self._next_line) < _MIN_REPEATED:
            return None
        if text == self._next_line and complete:
            return Verdict.ENDS_BEFORE
        if not complete and self._next_line.startswith(text):
            return Verdict.UNDECIDED
        return None

    def _at_level(self, text: str, *, complete: bool) -> Verdict:
        """A line back at the level of the line that opened the block."""
        word_ended = complete or not text.isalnum()
        if complete and _CLOSER.match(text):
            return Verdict.ENDS_AFTER
        if _GOES_ON.match(text) or text.startswith(("end", "fi", "done", "esac")):
            return Verdict.GOES_ON if complete else Verdict.UNDECIDED
        return Verdict.ENDS_BEFORE if word_ended else Verdict.UNDECIDED
