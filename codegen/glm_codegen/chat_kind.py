"""Chat: how a conversation is asked of the model, and what a model that cannot chat says.

The conversation's form is the folder's own (`chat_forms.py`), the tasks' words are in
`chat_tasks.py`. A text is shown as it comes; only a stop text that has begun is held back.
"""

from __future__ import annotations

from dataclasses import replace

from glm_codegen.chat_models import advice
from glm_codegen.chat_tasks import turns_of
from glm_codegen.model_context import clean
from glm_codegen.prompt_formats.chat_forms import RoleForm, choose_chat_form
from glm_codegen.prompt_formats.chat_prompt import chat_prompt
from glm_codegen.prompt_formats.chat_template import ChatTemplate, TemplateRefused
from glm_codegen.row_plan import ModelParts, Planner, RowPlan
from glm_protocol.chat import ChatRequest
from glm_protocol.errors import ModelUnusable, PromptTooLong, Unsupported
from glm_runtime.sampling import Sampler, Sampling

CODEGEEX4_MARKS = ("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>")


def form_of(parts: ModelParts) -> RoleForm | ChatTemplate | None:
    """How this model is talked to; None where it cannot chat. Raises ModelUnusable."""
    form = None if parts.folder is None else choose_chat_form(parts.folder)
    if isinstance(form, RoleForm):
        missing = [name for name in form.needs if parts.tokenizer.control_id(name) is None]
        if missing:
            raise ModelUnusable(
                f"{parts.folder}: the chat form {form.name} needs {', '.join(missing)}, which the"
                " tokenizer lacks.",
                remedy="Choose another form, or fetch the tokenizer's files of this very model.",
            )
    return form


def chat_planner(parts: ModelParts) -> Planner:
    """The planner of chats for one model; of a model that cannot, one that says so."""
    form = form_of(parts)
    codegeex4 = all(parts.tokenizer.control_id(mark) is not None for mark in CODEGEEX4_MARKS)

    def plan(request: ChatRequest, parts: ModelParts) -> RowPlan:
        if form is None:
            raise Unsupported(f"The model {parts.model} cannot chat.", remedy=advice())
        if request.has_images:
            raise Unsupported(f"The model {parts.model} cannot see pictures.")
        messages = [replace(m, text=clean(m.text)) for m in turns_of(request, codegeex4=codegeex4)]
        limit = parts.context_length
        stop_texts = form.stop_texts if isinstance(form, RoleForm) else ()
        try:
            prompt = chat_prompt(
                form,
                parts.tokenizer,
                messages,
                token_budget=limit - min(request.max_tokens, limit // 4),
                stop_texts=stop_texts,
            )
        except TemplateRefused as error:
            raise Unsupported(f"The model {parts.model} takes no such turns: {error}.") from error
        except ValueError as error:
            raise PromptTooLong(
                f"The conversation does not fit into the model's {limit} tokens ({error})."
            ) from error
        return RowPlan(
            prompt=parts.never_empty(prompt),
            text=StoppedText((*stop_texts, *request.stop)),
            chooser=Sampler(
                Sampling(temperature=request.temperature, top_p=request.top_p, seed=request.seed)
            ),
            budget=min(request.max_tokens, limit - len(prompt.token_ids)),
        )

    return plan


class StoppedText:
    """Text up to the first of some stop texts; what may be the beginning of one is held back."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""
        self.ended = False

    def add(self, piece: str) -> str:
        """See `AnswerText`."""
        self._held += piece
        places = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            self.ended = True
            return self._give(min(places))
        begun = max((self._begun(stop) for stop in self._stops), default=0)
        return self._give(len(self._held) - begun)

    def finish(self) -> str:
        """The rest."""
        return self._give(len(self._held))

    def stop_by_model(self) -> str:
        """The rest."""
        return self.finish()

    def _begun(self, stop: str) -> int:
        """Length of the longest end of the held text that begins `stop`."""
        lengths = range(min(len(stop) - 1, len(self._held)), 0, -1)
        return next((n for n in lengths if stop.startswith(self._held[-n:])), 0)

    def _give(self, length: int) -> str:
        given, self._held = self._held[:length], self._held[length:]
        return given
