"""The kinds of request, by their word on the wire. A new kind is one file and one line here."""

from __future__ import annotations

from typing import Any

from glm_protocol.chat import ChatRequest
from glm_protocol.completion import CompletionRequest
from glm_protocol.drawing import DrawRequest
from glm_protocol.remembering import RememberRequest
from glm_protocol.translation import TranslationRequest

AnyRequest = CompletionRequest | ChatRequest | TranslationRequest | DrawRequest | RememberRequest
KINDS: dict[str, type[AnyRequest]] = {
    request.kind: request
    for request in (
        CompletionRequest,
        ChatRequest,
        TranslationRequest,
        DrawRequest,
        RememberRequest,
    )
}


def request_from_wire(kind: str, wire: dict[str, Any]) -> AnyRequest:
    """Inverse of `to_wire`, for values that HTTP has validated already. Raises KeyError."""
    return KINDS[kind].from_wire(wire)
