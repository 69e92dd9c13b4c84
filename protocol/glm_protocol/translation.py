"""A translation of one unit of code: source in, target language's source out.

Cutting a file into units, and keeping names the same across them, is the asker's: it sends what
was chosen so far as `names`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MaxLen, MinLen

from glm_protocol.request_fields import (
    FORBID_EXTRA,
    MAX_TEXT,
    Deadline,
    Document,
    FilePath,
    Identifier,
    Language,
    Name,
    Seed,
    Temperature,
    TopP,
    Trigger,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TranslationRequest:
    """`names`: lines "name in the source = name in the target" that must be kept."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_EXTRA
    kind: ClassVar[str] = "translate"

    id: Identifier
    document: Document
    code: Annotated[str, MinLen(1), MaxLen(MAX_TEXT)]
    source: Language
    target: Language
    path: FilePath = ""
    names: Annotated[tuple[Annotated[str, MaxLen(512)], ...], MaxLen(512)] = ()
    trigger: Trigger = Trigger.EXPLICIT
    model: Name | None = None
    adapter: Name | None = None
    max_tokens: Annotated[int, Ge(1), Le(16_384)] = 1024
    temperature: Temperature = 0.0
    top_p: TopP = 1.0
    seed: Seed | None = None
    deadline_ms: Deadline = 300_000

    def to_wire(self) -> dict[str, Any]:
        """The JSON object that `POST /glm/v1/translate` takes."""
        return asdict(self)

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> TranslationRequest:
        """Inverse of `to_wire`, for values that HTTP has validated already."""
        return cls(**{**wire, "trigger": Trigger(wire["trigger"]), "names": tuple(wire["names"])})


def translated(said: str, report: Mapping[str, Any]) -> str:
    """The translation that an answer ended with: what was said, unless its report settled on
    another attempt."""
    text = report.get("text")
    return text if isinstance(text, str) else said
