"""Texts of a workspace for the engine's memory of it: what it learns from without training.

They stay in the memory of the engine's process, bounded, and are gone with it; the end's report
says how many documents and tokens of the workspace are held, so that a client notices when an
engine was started anew and sends them again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import MaxLen, MinLen

from glm_protocol.request_fields import (
    FORBID_EXTRA,
    Deadline,
    Document,
    FilePath,
    Identifier,
    Name,
    Trigger,
)

MAX_REMEMBERED = 65_536  # characters of one file
MAX_FILES = 64  # in one request


@dataclass(frozen=True, kw_only=True, slots=True)
class RememberedFile:
    """A file as it is now; an empty text means that it is gone."""

    path: FilePath
    text: Annotated[str, MaxLen(MAX_REMEMBERED)]


@dataclass(frozen=True, kw_only=True, slots=True)
class RememberRequest:
    """`workspace` is the name that completions of the same workspace give.

    The end's report: `documents` and `tokens` that are held of this workspace now.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_EXTRA
    kind: ClassVar[str] = "remember"

    id: Identifier
    document: Document
    workspace: Annotated[str, MinLen(1), MaxLen(256)]
    files: Annotated[tuple[RememberedFile, ...], MaxLen(MAX_FILES)]
    trigger: Trigger = Trigger.BACKGROUND
    model: Name | None = None
    adapter: Name | None = None
    deadline_ms: Deadline = 60_000

    def to_wire(self) -> dict[str, Any]:
        """The JSON object that `POST /glm/v1/remember` takes."""
        return asdict(self)

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> RememberRequest:
        """Inverse of `to_wire`, for values that HTTP has validated already."""
        files = tuple(RememberedFile(**file) for file in wire["files"])
        return cls(**{**wire, "files": files, "trigger": Trigger(wire["trigger"])})
