"""The attempts at one completion: each a row's plan, and what they leave behind.

An object, not functions inside of each other: those would hold themselves and with them the
memories of the request, until the garbage collector comes by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glm_codegen.completion_memory import CompletionMemory
from glm_codegen.completion_text import CompletionText
from glm_codegen.ghost_attempts import GhostAttempts
from glm_codegen.guided_chooser import GuidedChooser, Said
from glm_codegen.model_context import ModelContext
from glm_codegen.prompt_formats.prompt_format import Prompt
from glm_codegen.row_plan import ModelParts, RowPlan
from glm_codegen.text_stream import TextStream
from glm_codegen.token_healing import HealedText
from glm_protocol.answers import FinishReason
from glm_protocol.completion import CompletionMode, CompletionRequest, Snippet
from glm_protocol.request_fields import Trigger
from glm_runtime.drafting import Guesses
from glm_runtime.sampling import Sampler, Sampling


@dataclass(kw_only=True)
class CompletionAttempts:
    """What all attempts at one request share. `following` gives the prompt that comes when a text
    was taken."""

    request: CompletionRequest
    parts: ModelParts
    cleaned: ModelContext
    mode: CompletionMode
    prompt: Prompt
    typed: str
    budget: int
    memory: CompletionMemory | None
    ghost: GhostAttempts | None
    guesses: Sequence[Guesses]
    following: Callable[[str], Sequence[int]]
    _firsts: set[int] = field(default_factory=set)  # tokens that attempts began with
    _told: str = ""  # the text to take, once it is known

    def plan(self, said: Said | None = None) -> RowPlan:
        """Of one more attempt; what it says is written into `said`."""
        request, prompt = self.request, self.prompt
        sampling = Sampling(temperature=request.temperature, top_p=request.top_p, seed=request.seed)
        chooser = GuidedChooser(
            Sampler(sampling),
            TextStream(self.parts.tokenizer, prompt.token_ids),
            vocabulary=self.parts.vocabulary,
            memory=self.memory,
            typed=self.typed,
            avoid=self._firsts,
            ends=self.parts.stop_ids | prompt.stop_ids,
            said=said,
        )
        text = CompletionText(
            self.cleaned.context,
            mode=self.mode,
            stops=(*_stop_texts(prompt), *(_unix(stop) for stop in request.stop)),
        )
        return RowPlan(
            prompt=prompt,
            text=HealedText(self.typed, text) if self.typed else text,
            chooser=chooser,
            budget=self.budget,
            restore=self.cleaned.restore,
            report=lambda said, finish: self._report(chooser, said, finish),
            again=lambda said, finish: self._again(chooser, said, finish),
            guesses=self.guesses,
            next_prompt=None if request.trigger is Trigger.BACKGROUND else self._after,
        )

    def _take(self, chooser: GuidedChooser, said: str, finish: FinishReason) -> None:
        if chooser.first is not None:
            self._firsts.add(chooser.first)
        if self.ghost is not None:
            unfinished = finish is not FinishReason.STOP
            self.ghost.take(said, chooser.confidence, unfinished=unfinished)

    def _again(self, chooser: GuidedChooser, said: str, finish: FinishReason) -> RowPlan | None:
        if self.ghost is None:
            return None
        self._take(chooser, said, finish)
        return self.plan() if self.ghost.wants_more else None

    def _report(self, chooser: GuidedChooser, said: str, finish: FinishReason) -> Mapping[str, Any]:
        cut_off = finish not in (FinishReason.STOP, FinishReason.LENGTH)
        if self.ghost is not None and cut_off and not self.ghost.attempts:
            self._take(chooser, said, finish)
        shown = {} if self.ghost is None else self.ghost.report(self.cleaned.restore)
        self._told = str(shown.get("final", said))
        workspace = self.request.workspace
        return {
            "mode": self.mode.value,
            "trigger": self.request.trigger.value,
            "pieces": _pieces(self.prompt, self.request),
            "typed": self.typed,
            "confidence": round(chooser.confidence, 4),
            "silence": round(chooser.silence, 4),
            "memory": None if self.memory is None else self.parts.memories.held(workspace),
            **shown,
        }

    def _after(self) -> Sequence[int] | None:
        """The prompt where the answer was taken."""
        return self.following(self._told) if self._told else None


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


def _stop_texts(prompt: Prompt) -> tuple[str, ...]:
    """LINE's newline is `CompletionText`'s business, which lets newlines before text pass."""
    if prompt.mode is CompletionMode.LINE:
        return tuple(stop for stop in prompt.stop_texts if stop != "\n")
    return prompt.stop_texts


def _unix(stop: str) -> str:
    return stop.replace("\r\n", "\n").replace("\r", "\n")
