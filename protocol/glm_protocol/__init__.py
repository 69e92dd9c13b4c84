"""Words that every process of glm-lsp shares: wire types, settings, errors, folders.

Invariant: nothing here imports torch, pydantic or another glm package, and nothing here
opens a file or a socket (`build.build_id`, which reads file times, is the one exception).
"""

from glm_protocol.completion import (
    CodeContext,
    CompletionChunk,
    CompletionEnd,
    CompletionMode,
    CompletionRequest,
    FinishReason,
    Snippet,
    Timings,
    TokenCounts,
    Trigger,
)
from glm_protocol.errors import GlmError

__all__ = [
    "CodeContext",
    "CompletionChunk",
    "CompletionEnd",
    "CompletionMode",
    "CompletionRequest",
    "FinishReason",
    "GlmError",
    "Snippet",
    "Timings",
    "TokenCounts",
    "Trigger",
]
