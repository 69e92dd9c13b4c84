"""Which kinds of request a loaded code model takes, each with its planner.

A kind joins with a file that plans its rows and a line here, under the condition that the model
can do it (a chat template, a translation format). What is not in the table is refused.
"""

from __future__ import annotations

from glm_codegen.chat_kind import chat_planner, form_of
from glm_codegen.completion_kind import plan_completion
from glm_codegen.row_plan import Deed, ModelParts, Planner
from glm_codegen.translation_kind import translation_form, translation_planner
from glm_protocol.chat import ChatRequest
from glm_protocol.completion import CompletionRequest
from glm_protocol.remembering import RememberRequest
from glm_protocol.requests import AnyRequest
from glm_protocol.translation import TranslationRequest


def planners_for(parts: ModelParts) -> dict[type[AnyRequest], Planner]:
    """The table for one model."""
    kinds: dict[type[AnyRequest], Planner] = {
        CompletionRequest: plan_completion,
        ChatRequest: chat_planner(parts),  # one that says how to get a chat model, where it has to
        TranslationRequest: translation_planner(parts),
    }
    return kinds


def deeds_for(_parts: ModelParts) -> dict[type[AnyRequest], Deed]:
    """Requests that are done without the model."""
    return {RememberRequest: lambda request, parts: parts.memories.remember(request)}


def capabilities_of(parts: ModelParts) -> tuple[str, ...]:
    """Words for `EngineInfo.capabilities`."""
    infill = ("infill",) if parts.prompt_format.reads_suffix else ()
    chat = ("chat",) if form_of(parts) is not None else ()
    translate = ("translate",) if translation_form(parts) is not None else ()
    return (*infill, *chat, *translate)
