"""All filters in their order, and who cut. Pure: text in, text out.

first what is no code, then what the document says already, then circles, then form
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from glm_codegen.cutting.candidate import Candidate
from glm_codegen.cutting.repetition_filters import (
    circles,
    repeated_lines,
    repeats_head,
    rewrites_above,
)
from glm_codegen.cutting.shape_filters import (
    file_indentation,
    nothing_said,
    prompt_words,
    trailing_blanks,
    typed_indentation,
)
from glm_codegen.cutting.suffix_filters import (
    closed_already,
    mid_line,
    repeats_below,
    suffix_overlap,
)

Filter = Callable[[Candidate], str]
FILTERS: tuple[Filter, ...] = (
    prompt_words,
    typed_indentation,
    repeats_head,
    mid_line,
    closed_already,
    suffix_overlap,
    circles,
    repeated_lines,
    repeats_below,
    rewrites_above,
    file_indentation,
    trailing_blanks,
    nothing_said,
)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What is left of a suggestion ("" for nothing), and the filters that changed it."""

    text: str
    by: tuple[str, ...]


def cut(candidate: Candidate) -> Cut:
    """Run all filters."""
    by = []
    for each in FILTERS:
        text = each(candidate)
        if text != candidate.text:
            by.append(each.__name__)
            candidate = candidate.saying(text)
        if not text:
            break
    return Cut(text=candidate.text, by=tuple(by))
