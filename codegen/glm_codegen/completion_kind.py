"""How a completion becomes a row: cleaned context, infilling prompt, rules of line and block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from glm_codegen.completion_attempts import CompletionAttempts
from glm_codegen.completion_memory import TAIL
from glm_codegen.cutting.candidate import Candidate
from glm_codegen.ghost_attempts import GhostAttempts
from glm_codegen.guided_chooser import Said
from glm_codegen.last_suggestions import Suggestion
from glm_codegen.model_context import clean, for_prompt, to_model
from glm_codegen.prompt_formats.fim_transcoder import read_marked_up
from glm_codegen.prompt_formats.prompt_format import Prompt
from glm_codegen.row_plan import ModelParts, RowPlan
from glm_codegen.token_healing import roll_back
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest
from glm_protocol.errors import PromptTooLong
from glm_runtime.drafting import Expected, Guesses, Repetition
from glm_runtime.token_memory import LONGEST

PROMPT_LIMIT = 4096  # tokens: beyond it a prompt costs more time than it adds to a completion
_SNIPPET_CHARACTERS = 8  # for each token of the budget: bounds the work of encoding them
_REMEMBERED_CHARACTERS = 48_000  # of snippets that a memory reads


def plan_completion(request: CompletionRequest, parts: ModelParts) -> RowPlan:
    """Raises PromptTooLong where the context has no room for the request."""
    if request.marked_up:
        request = _unmarked(request)
    limit = parts.context_length
    # A budget larger than the context cannot be kept; half of it stays for the prompt.
    room = min(limit - min(request.max_tokens, limit // 2), PROMPT_LIMIT)
    for_snippets = room * _SNIPPET_CHARACTERS
    cleaned = to_model(
        request.context, snippet_characters=max(for_snippets, _REMEMBERED_CHARACTERS)
    )
    mode = parts.parse_check.mode_at(cleaned.context, request.mode, request.document)
    last = parts.suggestions.agreeing(request, cleaned.context, mode)
    if last is not None and len(last.prompt.token_ids) > room:
        last = None  # more is to be written than was then
    if last is not None:
        rolled = replace(cleaned.context, prefix=last.prefix)
        typed, prompt = cleaned.context.prefix[len(last.prefix) :], last.prompt
    else:
        rolled, typed = roll_back(cleaned.context, parts.vocabulary)
        prompt = _render(for_prompt(rolled, for_snippets), mode, parts, room)
    guesses = _guesses(request, rolled, prompt, parts)
    budget = min(
        request.max_tokens + len(parts.vocabulary.encode(typed)), limit - len(prompt.token_ids)
    )
    memory = (
        parts.memories.for_completion(
            rolled, mode, workspace=request.workspace, end=_end_id(prompt, parts)
        )
        if request.memory
        else None
    )
    place = Candidate("", cleaned.context.prefix, cleaned.context.suffix, cleaned.context.language)
    ghost = (
        None
        if request.ghost is None
        else GhostAttempts(request.ghost, request.trigger, place, parts.parse_check)
    )

    def following(text: str) -> Sequence[int]:
        """The prompt where a text was taken."""
        taken = replace(cleaned.context, prefix=cleaned.context.prefix + clean(text))
        rolled_back, _ = roll_back(taken, parts.vocabulary)
        return _render(for_prompt(rolled_back, for_snippets), mode, parts, room).token_ids

    attempts = CompletionAttempts(
        request=request,
        parts=parts,
        cleaned=cleaned,
        mode=mode,
        prompt=prompt,
        typed=typed,
        budget=budget,
        memory=memory,
        ghost=ghost,
        guesses=guesses,
        following=following,
    )
    said = Said()
    parts.suggestions.keep(
        Suggestion(
            request=request,
            prefix=rolled.prefix,
            mode=mode,
            prompt=prompt,
            saying=said,
            before=Said() if last is None else last.said,
        )
    )
    return attempts.plan(said)


def _guesses(
    request: CompletionRequest, rolled: CodeContext, prompt: Prompt, parts: ModelParts
) -> tuple[Guesses, ...]:
    """Sources of guesses, the surest first."""
    tail = parts.vocabulary.ends_of(rolled.prefix[-TAIL:], LONGEST)
    found: list[Guesses] = [Repetition(prompt.token_ids, tail)]
    if expected := parts.suggestions.expected(request.document, rolled):
        found.insert(0, Expected(expected))
    if request.memory:
        workspace = parts.memories.guesses(rolled, tail, workspace=request.workspace)
        found += [] if workspace is None else [workspace]
    return tuple(found)


def _end_id(prompt: Prompt, parts: ModelParts) -> int | None:
    """The token by which this model says that it is done: its own where it has one."""
    return min(parts.stop_ids or prompt.stop_ids, default=None)


def _unmarked(request: CompletionRequest) -> CompletionRequest:
    """The request that a marked-up prompt stands for; itself where the prefix is none."""
    found = read_marked_up(request.context.prefix)
    if found is None or request.context.suffix:
        return request
    return replace(request, context=found.context, mode=found.mode or request.mode)


def _render(context: CodeContext, mode: CompletionMode, parts: ModelParts, room: int) -> Prompt:
    try:
        prompt = parts.prompt_format.render(context, mode=mode, token_budget=room)
    except ValueError as error:
        raise PromptTooLong(
            f"The model's context of {parts.context_length} tokens has no room for"
            f" this request ({error})."
        ) from error
    return parts.never_empty(prompt)
