"""What the syntax says of a suggestion and of its place, asked of the disposable process.

Whether a suggestion breaks the file: parsed with it and without. Where AUTO means a block.

A line that is being written does not parse by itself, so the file is compared with the better of
two texts: without the suggestion, and without the cursor's line. What the suggestion leaves open
on purpose (a bracket, a block) is closed for the test.
"""

from __future__ import annotations

import re
from dataclasses import replace

from glm_codegen.cutting.candidate import PAIRS, Candidate, left_open
from glm_codegen.prompt_formats.prompt_format import decide_mode
from glm_context import questions
from glm_context.syntax import Syntax
from glm_protocol.completion import CodeContext, CompletionMode

ANSWER_S = 0.25  # for one parse; beyond it nothing is known
MOST_TEXT = 60_000  # characters
SUFFIX_CUT_FROM = 6_000
CUT_FROM = 12_000  # characters of prefix; a shorter one is hardly a window
MOST_STARTS = 5  # places where reading such a window may begin instead
_TOP_LEVEL = re.compile(r"\n\s*\n(?=[A-Za-z@])")
_HEAD_END = re.compile(r"[:{>]$|\b(?:then|do|else|begin)$")
_CLOSERS = {opener: closer for closer, opener in PAIRS.items()}


class ParseCheck:
    """Starts the parse process on first use."""

    def __init__(self) -> None:
        self._syntax = Syntax(answer_s=ANSWER_S)
        self._base: tuple[tuple[str, str, str], tuple[int, int | None]] | None = None

    def breaks(self, candidate: Candidate, *, whole: bool = False) -> bool:
        """False where it cannot be known: no grammar, a text beyond budget.

        `whole`: nothing may be left open.
        """
        size = len(candidate.prefix) + len(candidate.text) + len(candidate.suffix)
        if not candidate.text or size > MOST_TEXT:
            return False
        candidate = replace(candidate, suffix=whole_below(candidate.suffix))
        start, base = self._without(candidate)
        if base is None:
            return False
        for closing in [""] if whole else endings(candidate):
            text = candidate.prefix[start:] + candidate.text + closing + candidate.suffix
            found = self._count(text, candidate.language)
            if found is None or found <= base:
                return False
        return True

    def mode_at(
        self, context: CodeContext, mode: CompletionMode, document: str = ""
    ) -> CompletionMode:
        """LINE or BLOCK for AUTO: a block where the syntax wants a body that is not written yet.

        By the text where there is no tree. `document` is asked about again: parsed incrementally.
        """
        text = context.prefix + context.suffix
        decided = mode is not CompletionMode.AUTO or not _may_begin_body(context)
        if decided or len(text) > MOST_TEXT:
            return decide_mode(context, mode)
        asked = questions.cursor(text, context.language, len(context.prefix), document)
        facts = self._syntax.ask(asked)
        if not facts.parsed:
            return decide_mode(context, mode)
        return CompletionMode.BLOCK if facts.body_is_due else CompletionMode.LINE

    def close(self) -> None:
        self._syntax.close()

    def _without(self, candidate: Candidate) -> tuple[int, int | None]:
        """Where to begin reading, and the problems that are there without the suggestion."""
        place = (candidate.prefix, candidate.suffix, candidate.language)
        if self._base is None or self._base[0] != place:
            self._base = (place, self._least(candidate))
        return self._base[1]

    def _least(self, candidate: Candidate) -> tuple[int, int | None]:
        best = self._problems_from(candidate, 0)
        if best and len(candidate.prefix) > CUT_FROM:
            # A window may begin inside a string or a body; what that breaks hides what we would.
            for number, found in enumerate(_TOP_LEVEL.finditer(candidate.prefix)):
                if number == MOST_STARTS:
                    break
                count = self._problems_from(candidate, found.end())
                if count == 0:
                    return found.end(), 0
        return 0, best

    def _problems_from(self, candidate: Candidate, start: int) -> int | None:
        prefix, language = candidate.prefix[start:], candidate.language
        whole = self._count(prefix + candidate.suffix, language)
        if not whole:
            return whole
        before = prefix[: len(prefix) - len(candidate.head)]
        without = self._count(before + candidate.suffix.partition("\n")[2], language)
        return whole if without is None else min(whole, without)

    def _count(self, text: str, language: str) -> int | None:
        found = self._syntax.problems(text, language)
        return None if found is None else len(found)


def _may_begin_body(context: CodeContext) -> bool:
    """Whether it is worth a parse: nothing behind the cursor, before it no line's middle."""
    head = context.prefix.rpartition("\n")[2].rstrip()
    return not context.suffix.partition("\n")[0].strip() and (
        not head or _HEAD_END.search(head) is not None
    )


def whole_below(suffix: str) -> str:
    """A window's lower part up to where code begins at the margin: its end may be in a string."""
    if len(suffix) < SUFFIX_CUT_FROM:
        return suffix
    places = [found.start() for found in _TOP_LEVEL.finditer(suffix)]
    return suffix[: places[-1] + 1] if places else suffix


def endings(candidate: Candidate) -> list[str]:
    """Texts that close what the suggestion leaves open: none, a body, brackets.

    Only one line may be left open, and only with nothing right below it: there a person goes on
    writing. A block is to be whole.
    """
    found = [""]
    below = candidate.suffix.split("\n", 2)[1:2]
    if "\n" in candidate.text.strip() or (below and below[0].strip()):
        return found
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
