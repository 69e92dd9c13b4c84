"""Translation of one unit: which form a model takes, and the plan of a row in that form.

    form        told by                              who
    outline     config.json: glm_translation         nano-translate
    question    a chat template or role tokens       CodeGeeX4, every model that chats
    listing     a CodeGeeX or ChatGLM architecture   CodeGeeX-13B, CodeGeeX2
A model of none of these refuses. Units are cut, and files put together, by who asks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from glm_codegen.chat_kind import form_of
from glm_codegen.model_context import clean
from glm_codegen.prompt_formats.chat_prompt import chat_prompt
from glm_codegen.prompt_formats.chat_template import TemplateRefused
from glm_codegen.prompt_formats.language_names import language_name
from glm_codegen.prompt_formats.prompt_format import Prompt, PromptPiece
from glm_codegen.row_plan import ModelParts, Planner, RowPlan
from glm_codegen.translation.answer_search import ATTEMPTS, AnswerSearch
from glm_codegen.translation.nano_format import LABELS, TARGETS, NanoTranslateFormat
from glm_codegen.translation.outline_answer import OutlineAnswer
from glm_codegen.translation.prompt_forms import (
    SYSTEM,
    FencedText,
    ListingText,
    listing_prompt,
    question,
)
from glm_codegen.translation.restore import Restorer, has_marks
from glm_protocol.chat import ChatMessage, Role
from glm_protocol.completion import CompletionMode
from glm_protocol.errors import BadRequest, PromptTooLong, Unsupported
from glm_protocol.translation import TranslationRequest
from glm_runtime.sampling import Sampler, Sampling

OUTLINE = "outline"
_LISTING_TYPES = frozenset({"codegeex", "chatglm"})


class TranslationForm(StrEnum):
    """How a model is asked."""

    OUTLINE = "outline"
    QUESTION = "question"
    LISTING = "listing"


def translation_form(parts: ModelParts) -> TranslationForm | None:
    """The form this model takes; None where it cannot translate."""
    config = _config(parts.folder)
    if config.get("glm_translation") == OUTLINE:
        return TranslationForm.OUTLINE
    if form_of(parts) is not None:
        return TranslationForm.QUESTION
    if config.get("model_type") in _LISTING_TYPES or config.get("glm_origin") in _LISTING_TYPES:
        return TranslationForm.LISTING
    return None


def _config(folder: Path | None) -> dict[str, object]:
    if folder is None:
        return {}
    try:
        found = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request's two languages, known to be different and known at all."""

    request: TranslationRequest
    source: str
    target: str


def _languages(request: TranslationRequest) -> Asked:
    source, target = request.source.lower(), request.target.lower()
    for language in (source, target):
        if not language_name(language):
            raise BadRequest(
                f"{language[:60]!r} is no language that code can be translated from or to.",
                remedy="Use a language id such as python, java, javascript, cpp or go.",
            )
    if source == target:
        raise BadRequest(f"The code is in {language_name(target)} already.")
    return Asked(request=request, source=source, target=target)


def translation_planner(parts: ModelParts) -> Planner:
    """The planner of translations for one model; of a model that cannot, one that says so."""
    form = translation_form(parts)
    nano = NanoTranslateFormat(parts.tokenizer) if form is TranslationForm.OUTLINE else None

    def plan(request: TranslationRequest, parts: ModelParts) -> RowPlan:
        asked = _languages(request)
        if form is None:
            raise Unsupported(
                f"The model {parts.model} cannot translate code.",
                remedy="Leave --model away for the bundled translator, or add a model that chats:"
                " glm-lsp models add NAME FOLDER.",
            )
        if nano is not None:
            return _outline_plan(asked, parts, nano)
        if form is TranslationForm.QUESTION:
            return _question_plan(asked, parts)
        return _listing_plan(asked, parts)

    return plan


def _sampler(request: TranslationRequest) -> Sampler:
    return Sampler(
        Sampling(temperature=request.temperature, top_p=request.top_p, seed=request.seed)
    )


def _names(request: TranslationRequest) -> dict[str, str]:
    pairs = (line.partition("=") for line in request.names)
    return {old.strip(): new.strip() for old, _, new in pairs if old.strip() and new.strip()}


def _too_long(parts: ModelParts, tokens: int) -> PromptTooLong:
    return PromptTooLong(
        f"The unit of {tokens} tokens and its translation do not fit into the"
        f" {parts.context_length} tokens of {parts.model}.",
        remedy="Split the function, or use a larger model: --model NAME.",
    )


def _outline_plan(asked: Asked, parts: ModelParts, form: NanoTranslateFormat) -> RowPlan:
    source, target = asked.source, asked.target
    if source not in LABELS or target not in TARGETS:
        known = ", ".join(language_name(language) for language in TARGETS)
        raise Unsupported(
            f"The bundled translator does not know {language_name(source)} to"
            f" {language_name(target)}; it knows {known}.",
            remedy="Add a larger model: glm-lsp models add NAME FOLDER, then --model NAME.",
        )
    code = asked.request.code
    if has_marks(code):
        raise BadRequest("The code holds private-use characters, which translation needs itself.")
    prompt = form.render(code, source, target)
    lines = sum(len(line) + 2 for line in prompt.lines)
    # A translation is about as long as its source; positions are relative, so that units of twice
    # the length that the model was trained at still work.
    room = 2 * parts.context_length - len(prompt.token_ids) - lines
    if room < lines // 2:
        raise _too_long(parts, len(prompt.token_ids) + lines)
    rendered = Prompt(
        token_ids=prompt.token_ids,
        stop_ids=frozenset({form.end}),
        stop_texts=(),
        pieces=(PromptPiece(source="header", tokens=len(prompt.token_ids)),),
        mode=CompletionMode.BLOCK,
    )

    def begin() -> OutlineAnswer:
        names = _names(asked.request)
        restorer = Restorer(outline=prompt.outline, source=source, target=target, names=names)
        return OutlineAnswer(form, prompt, restorer, _sampler(asked.request))

    def planned(answer: OutlineAnswer) -> RowPlan:
        budget = lines + min(asked.request.max_tokens, room)
        return RowPlan(prompt=rendered, text=answer, chooser=answer, budget=budget)

    greedy = asked.request.temperature == 0
    return AnswerSearch(begin=begin, plan=planned, most=ATTEMPTS if greedy else 1).first()


def _question_plan(asked: Asked, parts: ModelParts) -> RowPlan:
    request, form = asked.request, form_of(parts)
    assert form is not None
    messages = [
        ChatMessage(role=Role.SYSTEM, text=SYSTEM.format(target=language_name(asked.target))),
        ChatMessage(
            role=Role.USER, text=question(clean(request.code), asked.target, request.names)
        ),
    ]
    limit = parts.context_length
    try:
        prompt = chat_prompt(
            form,
            parts.tokenizer,
            messages,
            token_budget=limit - min(request.max_tokens, limit // 2),
            stop_texts=(),
        )
    except TemplateRefused as error:
        raise Unsupported(f"The model {parts.model} takes no such turns: {error}.") from error
    except ValueError as error:
        raise _too_long(parts, len(parts.tokenizer.encode(request.code))) from error
    return RowPlan(
        prompt=prompt,
        text=FencedText(),
        chooser=_sampler(request),
        budget=min(request.max_tokens, limit - len(prompt.token_ids)),
    )


def _listing_plan(asked: Asked, parts: ModelParts) -> RowPlan:
    request = asked.request
    text = listing_prompt(clean(request.code), asked.source, asked.target)
    ids = tuple(parts.tokenizer.encode(text))
    if len(ids) > parts.context_length * 2 // 3:
        raise _too_long(parts, len(ids))
    return RowPlan(
        prompt=Prompt(
            token_ids=ids,
            stop_ids=frozenset(),
            stop_texts=(),
            pieces=(PromptPiece(source="listing", tokens=len(ids)),),
            mode=CompletionMode.BLOCK,
        ),
        text=ListingText(asked.target),
        chooser=_sampler(request),
        budget=min(request.max_tokens, parts.context_length - len(ids)),
    )
