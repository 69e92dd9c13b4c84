"""The text of one completion under its stop rules: what may be shown, and where it ends.

Nothing is shown that a rule could still take back, so a ghost text never shrinks:
a stop string that has begun, the newline that may end a line, a line not yet known to belong
to the block.

LINE mode ends at the first newline after text, exclusive: newlines before any text stay, so that
a completion at the end of a finished line can begin on the next. BLOCK mode asks `BlockEnd`.
"""

from __future__ import annotations

from collections.abc import Sequence

from glm_codegen.block_end import BlockEnd, Verdict
from glm_protocol.completion import CodeContext, CompletionMode


class CompletionText:
    """Takes text as it is decoded; gives what is certain. `ended` once a rule has ended it."""

    def __init__(self, context: CodeContext, *, mode: CompletionMode, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._longest_stop = max((len(stop) for stop in stops), default=0)
        self._block = BlockEnd(context) if mode is CompletionMode.BLOCK else None
        self._text = ""
        self._shown = 0  # characters given out
        self._certain = 0  # characters that the line rules let pass
        self._line_start = 0  # BLOCK: where the line under judgement begins
        self.ended = False

    def add(self, piece: str) -> str:
        """Text that may be shown now. Nothing may be added once `ended`."""
        assert not self.ended, "text added after the end"
        looked_at = len(self._text)
        self._text += piece
        stop = self._stop_place(max(0, looked_at - self._longest_stop))
        if stop is not None:
            self._text = self._text[:stop]
        end = self._line_end(looked_at) if self._block is None else self._block_end()
        if end is not None:
            self._text = self._text[:end]
        if stop is not None or end is not None:
            self.ended = True
            return self._show(len(self._text))
        return self._show(min(self._certain, len(self._text) - self._begun_stop()))

    def finish(self) -> str:
        """The rest, when tokens, time or the model's own stop ended the completion.

        A last line without text is dropped where its fate was open.
        """
        self.ended = True
        held = self._text[self._shown :]
        if self._block is not None and "\n" in held and not held.strip():
            return ""
        return self._show(len(self._text))

    def stop_by_model(self) -> str:
        """The rest, when the model said that it is done: all of it is meant."""
        self.ended = True
        return self._show(len(self._text))

    def _show(self, until: int) -> str:
        piece = self._text[self._shown : until]
        self._shown = max(self._shown, until)
        return piece

    def _stop_place(self, start: int) -> int | None:
        places = [self._text.find(stop, start) for stop in self._stops]
        return min((place for place in places if place >= 0), default=None)

    def _begun_stop(self) -> int:
        """Length of the longest end of the text that begins a stop string."""
        for length in range(min(self._longest_stop, len(self._text)), 0, -1):
            tail = self._text[-length:]
            if any(len(stop) > length and stop.startswith(tail) for stop in self._stops):
                return length
        return 0

    def _line_end(self, looked_at: int) -> int | None:
        """LINE: the first newline after text; newlines before it wait for text."""
        text_start = len(self._text) - len(self._text.lstrip())
        newline = self._text.find("\n", max(looked_at, text_start))
        if newline >= 0 and self._text[:newline].strip():
            return newline
        self._certain = len(self._text) if self._text.strip() else 0
        return None

    def _block_end(self) -> int | None:
        """BLOCK: judge line by line; blank lines wait for the line after them."""
        assert self._block is not None
        while True:
            newline = self._text.find("\n", self._line_start)
            complete = newline >= 0
            line = self._text[self._line_start : newline if complete else len(self._text)]
            first = self._line_start == 0
            verdict = self._block.judge(line, first=first, complete=complete)
            if verdict is Verdict.ENDS_BEFORE:
                return len(self._text[: self._line_start].rstrip("\n \t"))
            if verdict is Verdict.ENDS_AFTER:
                return newline
            if verdict is Verdict.GOES_ON and line.strip():
                self._certain = newline if complete else len(self._text)
            if not complete:
                return None
            self._line_start = newline + 1
