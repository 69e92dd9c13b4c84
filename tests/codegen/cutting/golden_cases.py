"""Reads the golden cases (the notation: cases/README.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glm_codegen.cutting.candidate import Candidate

FOLDER = Path(__file__).parent / "cases"
UNTOUCHED = "untouched"


@dataclass(frozen=True, kw_only=True)
class GoldenCase:
    """A candidate, what is to be shown of it, and the filters that cut."""

    name: str
    candidate: Candidate
    shown: str
    by: tuple[str, ...]


def parts(text: str) -> tuple[str, str, str]:
    """Before, inside and after the marks."""
    text = text.replace("⇥", "\t").replace("␠", " ")
    before, _, rest = text.partition("├")
    inside, _, after = rest.rpartition("┤")
    return before, inside, after


def read_case(block: str, file: str) -> GoldenCase:
    head, _, body = block.partition("\n")
    language, _, title = head.partition(": ")
    given, _, rest = body.partition("\n>>> ")
    by, _, wanted = rest.partition("\n")
    prefix, said, suffix = parts(given)
    shown = said
    if by != UNTOUCHED:
        before, shown, after = parts(wanted)
        assert (before, after) == (prefix, suffix), f"{title}: the place differs"
    return GoldenCase(
        name=f"{file}: {language}: {title}",
        candidate=Candidate(said, prefix, suffix, language),
        shown=shown,
        by=() if by == UNTOUCHED else tuple(by.split()),
    )


def golden_cases() -> Iterator[GoldenCase]:
    for file in sorted(FOLDER.glob("*.txt")):
        text = "\n" + file.read_text(encoding="utf-8")
        for block in text.split("\n### ")[1:]:
            yield read_case(block.rstrip("\n"), file.stem)
