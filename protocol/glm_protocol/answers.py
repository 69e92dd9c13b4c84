"""What comes back on any request: pieces, and once, last, the end. One form for all kinds.

Texts joined in order are the answer of a completion, a chat or a translation; a drawing sends
its steps and whole pictures. What only one kind knows (boxes, a score, a prompt's pieces) is in
the end's `report`, so that a new kind needs no new form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class FinishReason(StrEnum):
    """Why an answer ended. SUPERSEDED: a newer request for the same document took its place."""

    STOP = "stop"
    LENGTH = "length"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """Milliseconds by stage. `queue` ends when prefill begins; `first_text` counts from arrival."""

    queue: float = 0.0
    prompt: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0
    first_text: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenCounts:
    """`reused` of the `prompt` tokens came from the KV cache of an earlier request."""

    prompt: int = 0
    reused: int = 0
    generated: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """`step` of `steps` are done; `preview`: the picture so far, base64 of a PNG, if asked for."""

    step: int
    steps: int
    preview: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """The last word on a request: why it ended, who answered, what it cost.

    `report` holds JSON values only; each kind of request documents its words.
    """

    finish: FinishReason
    model: str
    adapter: str | None = None
    timings_ms: Timings = field(default_factory=Timings)
    tokens: TokenCounts = field(default_factory=TokenCounts)
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A piece of an answer: text, a step done, a picture (base64 of a PNG), or the end."""

    text: str = ""
    progress: Progress | None = None
    image: str = ""
    end: End | None = None

    def to_wire(self) -> dict[str, Any]:
        """One JSON line of an answer; what is empty is left out, except the text."""
        wire: dict[str, Any] = {"text": self.text}
        if self.progress is not None:
            wire["progress"] = asdict(self.progress)
        if self.image:
            wire["image"] = self.image
        if self.end is not None:
            wire["end"] = asdict(self.end)
        return wire

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Chunk:
        """Inverse of `to_wire`. Raises KeyError, TypeError or ValueError on a malformed line."""
        progress, end = wire.get("progress"), wire.get("end")
        return cls(
            text=str(wire["text"]),
            progress=None if progress is None else Progress(**progress),
            image=str(wire.get("image", "")),
            end=None if end is None else _end_from_wire(end),
        )


def _end_from_wire(end: dict[str, Any]) -> End:
    report = end.get("report", {})
    if not isinstance(report, dict):
        raise TypeError("a report is an object")
    return End(
        finish=FinishReason(end["finish"]),
        model=str(end["model"]),
        adapter=end.get("adapter"),
        timings_ms=Timings(**end["timings_ms"]),
        tokens=TokenCounts(**end["tokens"]),
        report=report,
    )
