"""Filters of form: words that are no code, blanks, indentation as the file has it."""

from __future__ import annotations

import re
from collections import Counter

from glm_codegen.cutting.candidate import PAIRS, Candidate, left_open

# Words of prompts and of chat that no file holds at the start of a line.
_PROMPT_WORDS = re.compile(
    r"^\s*(?:###(?:PATH|LANGUAGE|MODE|REFERENCE):|<\|\w+\|>|<(?:COMPLETION|think)>"
    r"|<fim_\w+>|<file_sep>|diff --git |(?:#|//) Path: |(?:#|//) End of file|<STOP EDITING)",
    re.MULTILINE,
)
_FENCE = re.compile(r"^\s*```", re.MULTILINE)
_FENCED = frozenset({"markdown", "restructuredtext", "plaintext", "latex"})
_EMPTY_COMMENT = re.compile(r"^\s*(?:#+|//+|--|;+|/\*+\s*\*/|<!--\s*-->)?\s*$")
_COMMENT_LANGUAGES = frozenset({"markdown", "plaintext"})


def prompt_words(candidate: Candidate) -> str:
    """The text ends where the model begins to speak of prompts, files or patches."""
    places = [
        found.start()
        for found in _PROMPT_WORDS.finditer(candidate.text)
        if found.start() or not candidate.head.strip()
    ][:1]
    if candidate.language not in _FENCED and (fence := _FENCE.search(candidate.text)):
        places.append(fence.start())
    return candidate.text[: min(places)].rstrip() if places else candidate.text


def typed_indentation(candidate: Candidate) -> str:
    """Indentation that was typed already is not added a second time, nor a second space."""
    head, text = candidate.head, candidate.text
    if head and not head.strip():
        if text.startswith(head):
            return text[len(head) :]
        return text.lstrip(" \t") if text[:1] in (" ", "\t") and text.strip() else text
    return text.lstrip(" ") if head.endswith(" ") and text.startswith(" ") else text


def file_indentation(candidate: Candidate) -> str:
    """Further lines are indented by the file's own unit: tabs, two, three or eight blanks."""
    lines = candidate.text.split("\n")
    if len(lines) < 2:
        return candidate.text
    unit = file_unit(candidate.prefix + "\n" + candidate.suffix)
    own = file_unit(candidate.head + candidate.text, least=1)
    if not unit or not own or unit == own:
        return candidate.text
    return "\n".join([lines[0], *(_indented(line, own, unit) for line in lines[1:])])


def _indented(line: str, own: str, unit: str) -> str:
    body = line.lstrip(" \t")
    if not body:
        return ""
    blanks = line[: len(line) - len(body)]
    if unit == "\t" and "\t" in blanks:
        return line
    columns = blanks.expandtabs(len(own) if own != "\t" else 4)
    width = 4 if own == "\t" else len(own)
    if len(columns) % width:
        return line  # aligned, not indented
    return unit * (len(columns) // width) + body


def file_unit(text: str, *, least: int = 2) -> str:
    """The unit by which lines are indented deeper than the line above; "" when it is not clear."""
    steps: Counter[str] = Counter()
    before = ""
    for line in text.split("\n"):
        body = line.lstrip(" \t")
        if not body:
            continue
        blanks = line[: len(line) - len(body)]
        if len(blanks) > len(before) and blanks.startswith(before):
            step = blanks[len(before) :]
            if step == "\t" or (set(step) == {" "} and len(step) in (2, 3, 4, 8)):
                steps[step] += 1
        before = blanks
    if not steps:
        return ""
    (unit, count), *_ = steps.most_common(1)
    return unit if count >= least else ""


def trailing_blanks(candidate: Candidate) -> str:
    """Blanks at the ends of lines, and empty lines at the end, are nobody's wish."""
    lines = [line.rstrip() for line in candidate.text.rstrip().split("\n")]
    text = "\n".join(lines)
    if not candidate.suffix.split("\n", 1)[0] or not candidate.text.endswith(" "):
        return text
    # A space before what follows on the line is part of the suggestion.
    return text + " " if candidate.rest and text else text


def nothing_said(candidate: Candidate) -> str:
    """Blanks, an empty comment, or a lone mark that closes nothing: not worth a flicker."""
    text = candidate.text.strip()
    if not text:
        return ""
    commented = candidate.head.strip() + text
    if candidate.language not in _COMMENT_LANGUAGES and _EMPTY_COMMENT.match(commented):
        return ""
    if len(text) > 1 or text.isalnum() or text == "_":
        return candidate.text
    if text in PAIRS:
        opened = left_open(candidate.prefix[-4000:])
        return candidate.text if opened and opened[-1] == PAIRS[text] else ""
    return candidate.text if text in ":;,\"'`>{([" else ""
