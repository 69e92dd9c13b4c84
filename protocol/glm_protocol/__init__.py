"""Words that every process of glm-lsp shares: wire types, settings, errors, folders.

Invariant: nothing here imports torch, pydantic or another glm package, and nothing here
opens a file or a socket (`build.build_id`, which reads file times, is the one exception).
"""

from glm_protocol.answers import Chunk, End, FinishReason, Progress, Timings, TokenCounts
from glm_protocol.chat import ChatMessage, ChatRequest, ImageData, Role
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest, Snippet
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import GlmError
from glm_protocol.request_fields import EngineRequest, Trigger
from glm_protocol.translation import TranslationRequest

__all__ = [
    "ChatMessage",
    "ChatRequest",
    "Chunk",
    "CodeContext",
    "CompletionMode",
    "CompletionRequest",
    "DrawRequest",
    "End",
    "EngineRequest",
    "FinishReason",
    "GlmError",
    "ImageData",
    "Progress",
    "Role",
    "Snippet",
    "Timings",
    "TokenCounts",
    "TranslationRequest",
    "Trigger",
]
