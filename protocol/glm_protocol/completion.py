"""The completion wire pair: what an editor asks and what comes back, piece by piece.

One definition serves both ends: the language server builds these as plain dataclasses, the
daemon hands the same classes to FastAPI, which reads the `annotated_types` bounds. So every
number and list has a bound here, once. Prompt texts and tokens are not here: they belong to
`PromptFormat`, on the engine's side.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MaxLen, MinLen

MAX_TEXT = 1_000_000  # characters of prefix or suffix; an editor sends a window of its file
MAX_SNIPPETS = 64
FORBID_EXTRA = {"extra": "forbid"}  # read by pydantic, where bytes enter

Name = Annotated[str, MaxLen(256)]
Identifier = Annotated[str, MinLen(1), MaxLen(64)]


class CompletionMode(StrEnum):
    """How far a completion may run. AUTO lets the engine's side decide."""

    LINE = "line"
    BLOCK = "block"
    AUTO = "auto"


class Trigger(StrEnum):
    """Why the editor asks; members stand in their order of service."""

    EXPLICIT = "explicit"
    AUTOMATIC = "automatic"
    BACKGROUND = "background"


class FinishReason(StrEnum):
    """Why a completion ended. SUPERSEDED: a newer request for the same document took its place."""

    STOP = "stop"
    LENGTH = "length"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Snippet:
    """A piece of related text, ranked by whoever gathered it.

    `id` is stable while the text is (so that a packer can keep its place in the KV prefix);
    `source` names the gatherer ("import", "recent", …); a higher `score` is more related.
    """

    id: Identifier
    path: Annotated[str, MaxLen(4096)]
    text: Annotated[str, MaxLen(65_536)]
    language: Annotated[str, MaxLen(64)] = ""
    source: Annotated[str, MaxLen(64)] = ""
    score: Annotated[float, Ge(-1e9), Le(1e9)] = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeContext:
    """What the editor knows around one cursor, as plain values.

    `path` is relative to the workspace where there is one; `language` is the LSP languageId;
    the cursor stands between `prefix` and `suffix`.
    """

    path: Annotated[str, MaxLen(4096)]
    language: Annotated[str, MaxLen(64)]
    prefix: Annotated[str, MaxLen(MAX_TEXT)]
    suffix: Annotated[str, MaxLen(MAX_TEXT)]
    snippets: Annotated[tuple[Snippet, ...], MaxLen(MAX_SNIPPETS)] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CompletionRequest:
    """One request for text at one cursor.

    `document` names the buffer across requests: the newest request per document wins.
    `deadline_ms` counts from arrival at the daemon; what is decoded by then is the answer.
    `temperature` 0 is greedy; `seed` makes sampling repeatable.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_EXTRA

    id: Identifier
    document: Annotated[str, MinLen(1), MaxLen(8192)]
    context: CodeContext
    mode: CompletionMode = CompletionMode.AUTO
    trigger: Trigger = Trigger.AUTOMATIC
    model: Name | None = None
    adapter: Name | None = None
    max_tokens: Annotated[int, Ge(1), Le(4096)] = 64
    temperature: Annotated[float, Ge(0.0), Le(2.0)] = 0.0
    top_p: Annotated[float, Ge(0.0), Le(1.0)] = 1.0
    seed: Annotated[int, Ge(0), Le(2**53 - 1)] | None = None
    stop: Annotated[tuple[Annotated[str, MinLen(1), MaxLen(128)], ...], MaxLen(16)] = ()
    deadline_ms: Annotated[int, Ge(1), Le(600_000)] = 10_000

    def to_wire(self) -> dict[str, Any]:
        """The JSON object that `POST /glm/v1/complete` takes."""
        return asdict(self)


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
class CompletionEnd:
    """The last word on a request: why it ended, who answered, what it cost."""

    finish: FinishReason
    model: str
    adapter: str | None = None
    timings_ms: Timings = field(default_factory=Timings)
    tokens: TokenCounts = field(default_factory=TokenCounts)


@dataclass(frozen=True, kw_only=True, slots=True)
class CompletionChunk:
    """A piece of text, or (once, last) the end. Texts joined in order are the completion."""

    text: str = ""
    end: CompletionEnd | None = None

    def to_wire(self) -> dict[str, Any]:
        """One JSON line of the answer of `POST /glm/v1/complete`."""
        return {"text": self.text} if self.end is None else asdict(self)

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> CompletionChunk:
        """Inverse of `to_wire`. Raises KeyError, TypeError or ValueError on a malformed line."""
        end = wire.get("end")
        if end is None:
            return cls(text=str(wire["text"]))
        return cls(
            text=str(wire["text"]),
            end=CompletionEnd(
                finish=FinishReason(end["finish"]),
                model=str(end["model"]),
                adapter=end.get("adapter"),
                timings_ms=Timings(**end["timings_ms"]),
                tokens=TokenCounts(**end["tokens"]),
            ),
        )
