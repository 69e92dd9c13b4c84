"""A drawing: words in, pictures out, as many and as large as asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MaxLen, MinLen

from glm_protocol.request_fields import (
    FORBID_EXTRA,
    MAX_IMAGE,
    Deadline,
    Document,
    Identifier,
    Name,
    Seed,
    Temperature,
    Trigger,
)

Pixels = Annotated[int, Ge(1), Le(4096)]


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawRequest:
    """`width` and `height` are exact. `image` and `mask` (base64 of files) redraw a region:
    what the mask shows white, or the option `box` ("X,Y,W,H") holds; the option `size` "given"
    takes the image's size. A `seed` of None is chosen by the engine and reported. `previews`: how
    many pictures of the work in progress are wanted with the steps."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_EXTRA
    kind: ClassVar[str] = "draw"

    id: Identifier
    document: Document
    prompt: Annotated[str, MinLen(1), MaxLen(10_000)]
    width: Pixels = 128
    height: Pixels = 128
    count: Annotated[int, Ge(1), Le(16)] = 1
    transparent: bool = False
    previews: Annotated[int, Ge(0), Le(16)] = 0
    image: Annotated[str, MaxLen(MAX_IMAGE)] = ""
    mask: Annotated[str, MaxLen(MAX_IMAGE)] = ""
    options: Annotated[Mapping[Name, Annotated[str, MaxLen(4096)]], MaxLen(16)] = field(
        default_factory=dict
    )
    trigger: Trigger = Trigger.EXPLICIT
    model: Name | None = None
    adapter: Name | None = None
    temperature: Temperature = 1.0
    seed: Seed | None = None
    deadline_ms: Deadline = 600_000

    def to_wire(self) -> dict[str, Any]:
        """The JSON object that `POST /glm/v1/draw` takes."""
        return {**asdict(self), "options": dict(self.options)}

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> DrawRequest:
        """Inverse of `to_wire`, for values that HTTP has validated already."""
        return cls(**{**wire, "trigger": Trigger(wire["trigger"])})
