"""What was suggested last at each document, while a person types on.

As long as the letters typed since agree with what the model says, the prompt stays the one that it
was and the letters are given (as `token_healing` gives those of a half word): nothing has to be
computed again but one token, what was decoded is checked in one wide step, and decoding goes on
where it was. With the first letter that disagrees the prompt is made anew, and the keys and values
are kept up to the common point.

What is left of the text is also the first guess for a prompt that was made anew: the person may
have changed the text after the cursor, or taken a part of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from glm_codegen.guided_chooser import Said
from glm_codegen.prompt_formats.prompt_format import Prompt
from glm_codegen.vocabulary import Vocabulary
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest
from glm_protocol.request_fields import Trigger

MOST_DOCUMENTS = 64  # the least recently used goes first
MOST_TYPED = 160  # characters since the prompt was made
MOST_AHEAD = 8  # characters typed beyond what was decoded, while it was being decoded


@dataclass(kw_only=True)
class Suggestion:
    """`prefix` ends where choosing began, `saying` is written there or was; `before`: what an
    earlier one had said at the same prompt. No memories are held with it."""

    request: CompletionRequest
    prefix: str
    mode: CompletionMode
    prompt: Prompt
    saying: Said
    before: Said = field(default_factory=Said)

    def __post_init__(self) -> None:
        self.request = _without_what_may_change(self.request)

    @property
    def said(self) -> Said:
        """Of this one, or of the earlier while this one says the same again."""
        return self.before if self.before.text.startswith(self.saying.text) else self.saying

    def goes_on(self, request: CompletionRequest, context: CodeContext) -> bool:
        """Whether this is asked on, with letters typed that agree."""
        if not context.prefix.startswith(self.prefix):
            return False
        typed, said = context.prefix[len(self.prefix) :], self.said.text
        agrees = said.startswith(typed) or (
            typed.startswith(said) and len(typed) - len(said) <= MOST_AHEAD
        )
        if not agrees or "\n" in typed or len(typed) > MOST_TYPED:
            return False
        return self.request == _without_what_may_change(request)


def _without_what_may_change(request: CompletionRequest) -> CompletionRequest:
    """All but the prefix, the related texts and how it is told."""
    context = replace(request.context, prefix="", snippets=())
    return replace(request, id="-", context=context, deadline_ms=1, max_tokens=1, ghost=None)


class LastSuggestions:
    """One of each document."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._held: OrderedDict[str, Suggestion] = OrderedDict()

    def agreeing(
        self, request: CompletionRequest, context: CodeContext, mode: CompletionMode
    ) -> Suggestion | None:
        """The one that is typed through, or None. Who asks explicitly gets a prompt of its own."""
        last = self._held.get(request.document)
        if last is None or request.trigger is Trigger.EXPLICIT or request.temperature > 0:
            return None
        if mode is not last.mode or not last.goes_on(request, context):
            return None
        typed = context.prefix[len(last.prefix) :]
        return last if self._vocabulary.can_spell(typed) else None

    def keep(self, suggestion: Suggestion) -> None:
        self._held[suggestion.request.document] = suggestion
        self._held.move_to_end(suggestion.request.document)
        while len(self._held) > MOST_DOCUMENTS:
            self._held.popitem(last=False)

    def expected(self, document: str, context: CodeContext) -> Sequence[int]:
        """Tokens that the last one said from where `context` ends on; none where it does not
        stand there."""
        last = self._held.get(document)
        if last is None or not context.prefix.startswith(last.prefix):
            return []
        typed, text = context.prefix[len(last.prefix) :], last.said.text
        if not typed:
            return last.said.tokens
        rest = text[len(typed) :] if text.startswith(typed) else ""
        return self._vocabulary.encode(rest) if rest else []
