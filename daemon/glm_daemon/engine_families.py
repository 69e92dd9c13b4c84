"""Which function loads an engine of which family, and how its requests cross the pipe.

A later family (vision, image) is one more row here plus its wire types in glm_protocol.
Invariant: loaders are named, not imported; only a worker imports one.
"""

from __future__ import annotations

from typing import Any

from glm_protocol.completion import (
    CodeContext,
    CompletionMode,
    CompletionRequest,
    Snippet,
    Trigger,
)

FAKE_MODEL = "fake"
LOADERS = {
    "code": "glm_codegen.code_engine:load_engine",
    "fake": "glm_runtime.fake_engine:load_engine",
}


def completion_request_from_wire(wire: dict[str, Any]) -> CompletionRequest:
    """Inverse of `CompletionRequest.to_wire`, for values that HTTP has validated already."""
    context = dict(wire["context"])
    context["snippets"] = tuple(Snippet(**snippet) for snippet in context["snippets"])
    fields = {
        **wire,
        "context": CodeContext(**context),
        "mode": CompletionMode(wire["mode"]),
        "trigger": Trigger(wire["trigger"]),
        "stop": tuple(wire["stop"]),
    }
    return CompletionRequest(**fields)
