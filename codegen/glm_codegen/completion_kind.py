"""How a completion becomes a row: cleaned context, infilling prompt, rules of line and block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from glm_codegen.completion_memory import TAIL
from glm_codegen.completion_text import CompletionText
from glm_codegen.cutting.candidate import Candidate
from glm_codegen.ghost_attempts import GhostAttempts
from glm_codegen.guided_chooser import GuidedChooser
from glm_codegen.last_suggestions import Suggestion
from glm_codegen.model_context import clean, for_prompt, to_model
from glm_codegen.prompt_formats.fim_transcoder import read_marked_up
from glm_codegen.prompt_formats.prompt_format import Prompt
from glm_codegen.row_plan import ModelParts, RowPlan
from glm_codegen.text_stream import TextStream
from glm_codegen.token_healing import HealedText, roll_back
from glm_protocol.answers import FinishReason
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest, Snippet
from glm_protocol.errors import PromptTooLong
from glm_protocol.request_fields import Trigger
from glm_runtime.drafting import Expected, Guesses, Repetition
from glm_runtime.sampling import Sampler, Sampling
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
    if last is not None and len(last.prompt.token_ids) <= room:
        rolled = replace(cleaned.context, prefix=last.context.prefix)
        typed, prompt = cleaned.context.prefix[len(rolled.prefix) :], last.prompt
    else:
        rolled, typed = roll_back(cleaned.context, parts.vocabulary)
        prompt = _render(for_prompt(rolled, for_snippets), mode, parts, room)
    guesses = _guesses(request, rolled, prompt, parts)
    budget = min(
        request.max_tokens + len(parts.tokenizer.encode(typed)), limit - len(prompt.token_ids)
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
    firsts: set[int] = set()

    told: list[str] = []  # the text to take, once it is known

    def after() -> Sequence[int] | None:
        """The prompt where the answer was taken."""
        if not told or not told[0]:
            return None
        taken = replace(cleaned.context, prefix=cleaned.context.prefix + clean(told[0]))
        following, _ = roll_back(taken, parts.vocabulary)
        return _render(for_prompt(following, for_snippets), mode, parts, room).token_ids

    def attempt() -> RowPlan:
        sampling = Sampling(temperature=request.temperature, top_p=request.top_p, seed=request.seed)
        chooser = GuidedChooser(
            Sampler(sampling),
            TextStream(parts.tokenizer, prompt.token_ids),
            vocabulary=parts.vocabulary,
            memory=memory,
            typed=typed,
            avoid=firsts,
            ends=parts.stop_ids | prompt.stop_ids,
        )
        text = CompletionText(
            cleaned.context,
            mode=mode,
            stops=(*_stop_texts(prompt), *(_unix(stop) for stop in request.stop)),
        )

        def taken(said: str, finish: FinishReason) -> None:
            if chooser.first is not None:
                firsts.add(chooser.first)
            if ghost is not None:
                unfinished = finish is not FinishReason.STOP
                ghost.take(said, chooser.confidence, unfinished=unfinished)

        def again(said: str, finish: FinishReason) -> RowPlan | None:
            if ghost is None:
                return None
            taken(said, finish)
            return attempt() if ghost.wants_more else None

        def report(said: str, finish: FinishReason) -> dict[str, Any]:
            cut_off = finish not in (FinishReason.STOP, FinishReason.LENGTH)
            if ghost is not None and cut_off and not ghost.attempts:
                taken(said, finish)
            shown = {} if ghost is None else ghost.report(cleaned.restore)
            told[:] = [str(shown.get("final", said))]
            return {
                "mode": mode.value,
                "trigger": request.trigger.value,
                "pieces": _pieces(prompt, request),
                "typed": typed,
                "confidence": round(chooser.confidence, 4),
                "silence": round(chooser.silence, 4),
                "memory": None if memory is None else parts.memories.held(request.workspace),
                **shown,
            }

        return RowPlan(
            prompt=prompt,
            text=HealedText(typed, text) if typed else text,
            chooser=chooser,
            budget=budget,
            restore=cleaned.restore,
            report=report,
            again=again,
            guesses=guesses,
            next_prompt=after if request.trigger is not Trigger.BACKGROUND else None,
        )

    first = attempt()
    assert isinstance(first.chooser, GuidedChooser)
    parts.suggestions.keep(
        Suggestion(
            request=request,
            context=rolled,
            mode=mode,
            prompt=prompt,
            chooser=first.chooser,
            before=("", []) if last is None else last.said,
        )
    )
    return first


def _guesses(
    request: CompletionRequest, rolled: CodeContext, prompt: Prompt, parts: ModelParts
) -> tuple[Guesses, ...]:
    """Sources of guesses, the surest first."""
    tail = parts.vocabulary.encode(rolled.prefix[-TAIL:])[-LONGEST:]
    found: list[Guesses] = [Repetition(prompt.token_ids, tail)]
    if expected := parts.suggestions.expected(request.document, rolled):
        found.insert(0, Expected(expected))
    if request.memory:
        workspace = parts.memories.guesses(rolled, tail, workspace=request.workspace)
        found += [] if workspace is None else [workspace]
    return tuple(found)


def _pieces(prompt: Prompt, request: CompletionRequest) -> list[dict[str, Any]]:
    """What each piece cost, and which snippets found no room (cost 0)."""
    sources = {snippet.id: snippet for snippet in request.context.snippets}
    found = []
    for piece in prompt.pieces:
        snippet = sources.pop(piece.source, None)
        found.append({"source": piece.source, "tokens": piece.tokens, **_origin(snippet)})
    left_out = [{"source": s.id, "tokens": 0, **_origin(s)} for s in sources.values()]
    return found + left_out


def _origin(snippet: Snippet | None) -> dict[str, str]:
    return {} if snippet is None else {"path": snippet.path, "from": snippet.source}


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


def _stop_texts(prompt: Prompt) -> tuple[str, ...]:
    """LINE's newline is `CompletionText`'s business, which lets newlines before text pass."""
    if prompt.mode is CompletionMode.LINE:
        return tuple(stop for stop in prompt.stop_texts if stop != "\n")
    return prompt.stop_texts


def _unix(stop: str) -> str:
    return stop.replace("\r\n", "\n").replace("\r", "\n")
