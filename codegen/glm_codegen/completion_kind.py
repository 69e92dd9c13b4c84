"""How a completion becomes a row: cleaned context, infilling prompt, rules of line and block."""

from __future__ import annotations

from glm_codegen.completion_text import CompletionText
from glm_codegen.model_context import to_model
from glm_codegen.prompt_formats.prompt_format import Prompt
from glm_codegen.row_plan import ModelParts, RowPlan
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest
from glm_protocol.errors import PromptTooLong
from glm_runtime.sampling import Sampler, Sampling

PROMPT_LIMIT = 4096  # tokens: beyond it a prompt costs more time than it adds to a completion
_SNIPPET_CHARACTERS = 8  # for each token of the budget: bounds the work of encoding them


def plan_completion(request: CompletionRequest, parts: ModelParts) -> RowPlan:
    """Raises PromptTooLong where the context has no room for the request."""
    limit = parts.context_length
    # A budget larger than the context cannot be kept; half of it stays for the prompt.
    room = min(limit - min(request.max_tokens, limit // 2), PROMPT_LIMIT)
    cleaned = to_model(request.context, snippet_characters=room * _SNIPPET_CHARACTERS)
    prompt = _render(cleaned.context, request, parts, room)
    return RowPlan(
        prompt=prompt,
        text=CompletionText(
            cleaned.context,
            mode=prompt.mode,
            stops=(*_stop_texts(prompt), *(_unix(stop) for stop in request.stop)),
        ),
        chooser=Sampler(
            Sampling(temperature=request.temperature, top_p=request.top_p, seed=request.seed)
        ),
        budget=min(request.max_tokens, limit - len(prompt.token_ids)),
        restore=cleaned.restore,
    )


def _render(
    context: CodeContext, request: CompletionRequest, parts: ModelParts, room: int
) -> Prompt:
    try:
        prompt = parts.prompt_format.render(context, mode=request.mode, token_budget=room)
    except ValueError as error:
        raise PromptTooLong(
            f"The model's context of {parts.context_length} tokens has no room for"
            f" this request ({error})."
        ) from error
    return parts.never_empty(prompt)


def _stop_texts(prompt: Prompt) -> tuple[str, ...]:
    """LINE's newline is `CompletionText`'s business, which lets newlines before text pass."""
    if prompt.mode is CompletionMode.LINE:
        return tuple(stop for stop in prompt.stop_texts if stop != "\n")
    return prompt.stop_texts


def _unix(stop: str) -> str:
    return stop.replace("\r\n", "\n").replace("\r", "\n")
