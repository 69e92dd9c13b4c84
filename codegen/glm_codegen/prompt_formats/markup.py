"""The small language in which a family's prompt is written down as data.

    «<|fim_prefix|>»   a control token, inserted by its id
    {prefix}           a field, filled in from what the editor knows
    anything else      words, encoded as text

Only the reading of that language; which templates there are stands in `fim_families.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

FIELDS = frozenset(
    {"begin", "prefix", "suffix", "path", "language", "mode", "comment", "references", "code"}
)
_PART = re.compile(r"«(?P<control>[^»]+)»|\{(?P<field>[a-z]+)\}|(?P<words>[^«{]+)")


class PartKind(StrEnum):
    """What a part of a template is."""

    CONTROL = "control"
    FIELD = "field"
    WORDS = "words"


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """`text`: the control token's name, the field's name, or the words."""

    kind: PartKind
    text: str


@cache
def parts_of(template: str) -> tuple[Part, ...]:
    """The parts in order. Raises ValueError for a field that does not exist or a stray bracket."""
    parts: list[Part] = []
    place = 0
    while place < len(template):
        found = _PART.match(template, place)
        if found is None or found.lastgroup is None:
            raise ValueError(f"a stray bracket at {place} of {template!r}")
        kind, text = PartKind(found.lastgroup), found[found.lastgroup]
        if kind is PartKind.FIELD and text not in FIELDS:
            raise ValueError(f"there is no field {text!r}")
        parts.append(Part(kind=kind, text=text))
        place = found.end()
    return tuple(parts)


def controls_of(template: str) -> tuple[str, ...]:
    """Names of the control tokens of a template, in order."""
    return tuple(part.text for part in parts_of(template) if part.kind is PartKind.CONTROL)


def spelled(control: str) -> str:
    """A control token as people write it in a text prompt: SentencePiece's `▁` is a space."""
    return control.removeprefix("▁")
