"""Bounds that the fields of several kinds of request share, and what every request has."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Protocol

from annotated_types import Ge, Le, MaxLen, MinLen

MAX_TEXT = 1_000_000  # characters of prefix or suffix; an editor sends a window of its file
MAX_IMAGE = 12_000_000  # characters of a picture in base64: 9 MB of bytes
FORBID_EXTRA = {"extra": "forbid"}  # read by pydantic, where bytes enter

Name = Annotated[str, MaxLen(256)]
Identifier = Annotated[str, MinLen(1), MaxLen(64)]
Document = Annotated[str, MinLen(1), MaxLen(8192)]
Language = Annotated[str, MaxLen(64)]  # an LSP languageId
FilePath = Annotated[str, MaxLen(4096)]
Deadline = Annotated[int, Ge(1), Le(600_000)]  # milliseconds from arrival at the daemon
Temperature = Annotated[float, Ge(0.0), Le(2.0)]  # 0 is greedy
TopP = Annotated[float, Ge(0.0), Le(1.0)]
Seed = Annotated[int, Ge(0), Le(2**53 - 1)]  # makes sampling repeatable
StopTexts = Annotated[tuple[Annotated[str, MinLen(1), MaxLen(128)], ...], MaxLen(16)]


class Trigger(StrEnum):
    """Why the editor asks; members stand in their order of service."""

    EXPLICIT = "explicit"
    AUTOMATIC = "automatic"
    BACKGROUND = "background"


class EngineRequest(Protocol):
    """What the daemon's queue and a worker's loop know of any kind of request.

    `kind` is its word on the wire; `document` names what it is about across requests: the newest
    request of a document wins. `deadline_ms` counts from arrival at the daemon.
    """

    kind: ClassVar[str]

    @property
    def id(self) -> str: ...

    @property
    def document(self) -> str: ...

    @property
    def trigger(self) -> Trigger: ...

    @property
    def model(self) -> str | None: ...

    @property
    def adapter(self) -> str | None: ...

    @property
    def deadline_ms(self) -> int: ...

    def to_wire(self) -> dict[str, Any]:
        """The JSON object that `POST /glm/v1/<kind>` takes."""
        ...
