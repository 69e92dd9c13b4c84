"""The completion request: what an editor asks; what comes back is in `answers`.

One definition serves both ends: the language server builds these as plain dataclasses, the
daemon hands the same classes to FastAPI, which reads the `annotated_types` bounds. So every
number and list has a bound here, once. Prompt texts and tokens are not here: they belong to
`PromptFormat`, on the engine's side.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MaxLen

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
    StopTexts,
    Temperature,
    TopP,
    Trigger,
)

MAX_SNIPPETS = 64
FOR_MEMORY = "continued"  # the source of snippets that a memory reads and no prompt has room for


class CompletionMode(StrEnum):
    """How far a completion may run. AUTO lets the engine's side decide."""

    LINE = "line"
    BLOCK = "block"
    AUTO = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class Snippet:
    """A piece of related text, ranked by whoever gathered it.

    `id` is stable while the text is (so that a packer can keep its place in the KV prefix);
    `source` names the gatherer ("import", "recent", …); a higher `score` is more related.
    """

    id: Identifier
    path: FilePath
    text: Annotated[str, MaxLen(65_536)]
    language: Language = ""
    source: Annotated[str, MaxLen(64)] = ""
    score: Annotated[float, Ge(-1e9), Le(1e9)] = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeContext:
    """What the editor knows around one cursor, as plain values.

    `path` is relative to the workspace where there is one; `language` is the LSP languageId;
    the cursor stands between `prefix` and `suffix`.
    """

    path: FilePath
    language: Language
    prefix: Annotated[str, MaxLen(MAX_TEXT)]
    suffix: Annotated[str, MaxLen(MAX_TEXT)]
    snippets: Annotated[tuple[Snippet, ...], MaxLen(MAX_SNIPPETS)] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GhostText:
    """The text is to be shown to a person: it is cut and filtered, and doubtful text withheld.

    `quiet` is the dial: 0 shows whatever passes the filters, 1 next to nothing. `count` distinct
    alternatives are looked for. The end's report then has `final` (what to show in place of the
    streamed text, "" for nothing), `alternatives`, `confidence` and `cut_by` (see docs/quality.md).
    """

    quiet: Annotated[float, Ge(0.0), Le(1.0)] = 0.0
    count: Annotated[int, Ge(1), Le(8)] = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class CompletionRequest:
    """One request for text at one cursor.

    `document` names the buffer across requests: the newest request per document wins.
    `deadline_ms` counts from arrival at the daemon; what is decoded by then is the answer.
    `temperature` 0 is greedy; `seed` makes sampling repeatable. `workspace` names the memory that
    `RememberRequest` fills; without `memory` nothing but the model speaks. `marked_up`: the prefix
    may be a whole prompt with some model family's control tokens in it, to be read as such.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_EXTRA
    kind: ClassVar[str] = "complete"

    id: Identifier
    document: Document
    context: CodeContext
    mode: CompletionMode = CompletionMode.AUTO
    trigger: Trigger = Trigger.AUTOMATIC
    model: Name | None = None
    adapter: Name | None = None
    max_tokens: Annotated[int, Ge(1), Le(4096)] = 64
    temperature: Temperature = 0.0
    top_p: TopP = 1.0
    seed: Seed | None = None
    stop: StopTexts = ()
    deadline_ms: Deadline = 10_000
    workspace: Annotated[str, MaxLen(256)] = ""
    memory: bool = True
    ghost: GhostText | None = None
    marked_up: bool = False

    def to_wire(self) -> dict[str, Any]:
        """The JSON object that `POST /glm/v1/complete` takes."""
        return asdict(self)

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> CompletionRequest:
        """Inverse of `to_wire`, for values that HTTP has validated already."""
        context = dict(wire["context"])
        context["snippets"] = tuple(Snippet(**snippet) for snippet in context["snippets"])
        ghost = wire.get("ghost")
        return cls(
            **{
                **wire,
                "context": CodeContext(**context),
                "mode": CompletionMode(wire["mode"]),
                "trigger": Trigger(wire["trigger"]),
                "stop": tuple(wire["stop"]),
                "ghost": None if ghost is None else GhostText(**ghost),
            }
        )
