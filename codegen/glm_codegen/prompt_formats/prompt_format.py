"""The interface of every prompt format and what it hands back; no format is spelled out here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from glm_protocol.completion import CodeContext, CompletionMode


@dataclass(frozen=True, kw_only=True)
class PromptPiece:
    """A run of prompt tokens and where it came from.

    `source` is a snippet's id, or one of `prefix`, `suffix`, `header` (words of the format
    itself, encoded as text) and `control` (control tokens). The costs add up to the prompt.
    """

    source: str
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A rendered prompt.

    token_ids: the ids to prefill, control tokens included.
    stop_ids: ids that end the completion and are no part of it.
    stop_texts: texts that end it; what stands before them is the completion.
    pieces: the origin of the ids, in order.
    mode: LINE or BLOCK, as decided.
    """

    token_ids: tuple[int, ...]
    stop_ids: frozenset[int]
    stop_texts: tuple[str, ...]
    pieces: tuple[PromptPiece, ...]
    mode: CompletionMode

    def __post_init__(self) -> None:
        """The pieces must account for every token."""
        assert sum(piece.tokens for piece in self.pieces) == len(self.token_ids)


class PromptFormat(Protocol):
    """How one family of models is asked for the text at a cursor."""

    @property
    def name(self) -> str:
        """Short name for logs and receipts."""

    @property
    def reads_suffix(self) -> bool:
        """Whether the text after the cursor reaches the model."""

    def render(self, context: CodeContext, *, mode: CompletionMode, token_budget: int) -> Prompt:
        """Prompt of at most `token_budget` tokens.

        Deterministic. The prefix keeps its end, the suffix its start, snippets come in the given
        order, whole or not at all. Raises ValueError for a budget with no room for any code.
        """


def decide_mode(context: CodeContext, mode: CompletionMode) -> CompletionMode:
    """LINE or BLOCK for AUTO: a block where a body may begin, else the rest of the line."""
    if mode is not CompletionMode.AUTO:
        return mode
    line = context.prefix.rsplit("\n", 1)[-1]
    rest = context.suffix.split("\n", 1)[0].strip()
    if rest or line.strip():
        return CompletionMode.LINE
    above = context.prefix.rstrip()
    return CompletionMode.BLOCK if above.endswith((":", "{", "(", "[")) else CompletionMode.LINE
