"""What a kind of request has to say so that the engine can work on it: a row's plan.

    kind                    file                    gives
    completion              completion_kind.py      infilling prompt, line and block rules
    chat, translation, …    one file each           its own prompt and its own text rules

A kind is a `Planner`, a function from request and parts to a `RowPlan`; `row_kinds.planners_for`
is the table. The engine knows rows, never kinds: no prompt, no stop rule and no report is made
there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from glm_codegen.last_suggestions import LastSuggestions
from glm_codegen.parse_check import ParseCheck
from glm_codegen.prompt_formats.prompt_format import Prompt, PromptFormat, PromptPiece
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.vocabulary import Vocabulary
from glm_codegen.workspace_memory import WorkspaceMemories
from glm_protocol.answers import FinishReason
from glm_runtime.causal_model import Logits
from glm_runtime.drafting import Guesses


class AnswerText(Protocol):
    """The text of one answer under its rules: what may be shown, and where it ends."""

    @property
    def ended(self) -> bool:
        """Whether a rule has ended it; nothing is added afterwards."""

    def add(self, piece: str) -> str:
        """Take a decoded piece; give what may be shown now."""

    def finish(self) -> str:
        """The rest, when budget or deadline ended it."""

    def stop_by_model(self) -> str:
        """The rest, when the model said that it is done."""


class Chooser(Protocol):
    """Picks the next token of one row; `glm_runtime.sampling.Sampler` is the plain one."""

    def next_token(self, logits_V: Logits) -> int: ...


class PlainText:
    """No rules: every piece is shown at once. Ends by the model or the budget."""

    ended = False

    def add(self, piece: str) -> str:
        return piece

    def finish(self) -> str:
        return ""

    def stop_by_model(self) -> str:
        return ""


@dataclass(frozen=True, kw_only=True)
class RowPlan:
    """One attempt at an answer.

    budget: tokens that may be generated.
    chooser: its next tokens; made for this row alone, it may keep what was said.
    restore: the shown text as the document writes it (line ends); pieces come one by one.
    report: called once, with the whole text (before `restore`) and why it ended.
    again: the plan of a further attempt at the same prompt, asked with the same; None: done.
    guesses: what may be said, for a wider step to check; None: what the prompt repeats.
    next_prompt: asked after the end, when nothing else is to do: the prompt that will come if the
    answer is taken.
    """

    prompt: Prompt
    text: AnswerText
    chooser: Chooser
    budget: int
    restore: Callable[[str], str] = str
    report: Callable[[str, FinishReason], Mapping[str, Any]] = lambda _text, _finish: {}
    again: Callable[[str, FinishReason], RowPlan | None] = lambda _text, _finish: None
    guesses: Sequence[Guesses] | None = None
    next_prompt: Callable[[], Sequence[int] | None] | None = None


@dataclass(frozen=True, kw_only=True)
class ModelParts:
    """What a planner may use of a loaded model. `context_length` is prompt and answer together.

    `folder` is the model's own, for files that a kind reads beside the weights.
    """

    model: str
    tokenizer: TextTokenizer
    prompt_format: PromptFormat
    context_length: int
    stop_ids: frozenset[int] = frozenset()
    folder: Path | None = None
    vocabulary: Vocabulary = field(init=False)
    memories: WorkspaceMemories = field(init=False)
    suggestions: LastSuggestions = field(init=False)
    parse_check: ParseCheck = field(init=False, default_factory=ParseCheck)

    def __post_init__(self) -> None:
        vocabulary = Vocabulary(self.tokenizer)
        object.__setattr__(self, "vocabulary", vocabulary)
        object.__setattr__(self, "suggestions", LastSuggestions(vocabulary))
        object.__setattr__(self, "memories", WorkspaceMemories.of_model(vocabulary, self.folder))

    def never_empty(self, prompt: Prompt) -> Prompt:
        """Left to right in an empty file: a model needs something to start from."""
        if prompt.token_ids:
            return prompt
        newline = tuple(self.tokenizer.encode("\n")) or (0,)
        piece = PromptPiece(source="header", tokens=len(newline))
        return replace(prompt, token_ids=newline, pieces=(piece,))


# Raises GlmError where the request cannot be rendered; `Any` stands for the kind's own request.
Planner = Callable[[Any, ModelParts], RowPlan]
# A request that needs no model: done in one step, its report is the answer.
Deed = Callable[[Any, ModelParts], Mapping[str, Any]]
