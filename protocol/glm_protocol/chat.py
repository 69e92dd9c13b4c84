"""A chat: turns of text and pictures in, text out. Also what the tasks of an editor become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MaxLen, MinLen

from glm_protocol.request_fields import (
    FORBID_EXTRA,
    MAX_IMAGE,
    MAX_TEXT,
    Deadline,
    Document,
    Identifier,
    Name,
    Seed,
    StopTexts,
    Temperature,
    TopP,
    Trigger,
)


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageData:
    """A picture's file, base64. What it holds is found out by the engine's side, under limits."""

    data: Annotated[str, MinLen(1), MaxLen(MAX_IMAGE)]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatMessage:
    """One turn. Its pictures stand before its text."""

    role: Role
    text: Annotated[str, MaxLen(MAX_TEXT)]
    images: Annotated[tuple[ImageData, ...], MaxLen(16)] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatRequest:
    """One request for the next turn. `options` are words of a task, as {"task": "chart"}."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_EXTRA
    kind: ClassVar[str] = "chat"

    id: Identifier
    document: Document
    messages: Annotated[tuple[ChatMessage, ...], MinLen(1), MaxLen(256)]
    options: Annotated[Mapping[Name, Annotated[str, MaxLen(4096)]], MaxLen(16)] = field(
        default_factory=dict
    )
    trigger: Trigger = Trigger.EXPLICIT
    model: Name | None = None
    adapter: Name | None = None
    max_tokens: Annotated[int, Ge(1), Le(16_384)] = 1024
    temperature: Temperature = 0.0
    top_p: TopP = 1.0
    seed: Seed | None = None
    stop: StopTexts = ()
    deadline_ms: Deadline = 300_000

    @property
    def has_images(self) -> bool:
        return any(message.images for message in self.messages)

    def to_wire(self) -> dict[str, Any]:
        """The JSON object that `POST /glm/v1/chat` takes."""
        return {**asdict(self), "options": dict(self.options)}

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> ChatRequest:
        """Inverse of `to_wire`, for values that HTTP has validated already."""
        messages = tuple(
            ChatMessage(
                role=Role(message["role"]),
                text=message["text"],
                images=tuple(ImageData(**image) for image in message["images"]),
            )
            for message in wire["messages"]
        )
        return cls(
            **{
                **wire,
                "messages": messages,
                "trigger": Trigger(wire["trigger"]),
                "stop": tuple(wire["stop"]),
            }
        )
