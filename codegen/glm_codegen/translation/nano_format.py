"""nano-translate's own form: line by line, each line of the source followed by its translation.

    <|system|>{Source}
    {Target}
    {all of the outline, where the source does not give types}
    <|user|>
    {a line of the outline}<|assistant|>
    {its lines in the target, or none}<|user|>
    …
    {last line}<|assistant|>…<|observation|>
    {what is left to close}<|endoftext|>

So the model never has to find its place in the source. What outlines leave out is put back by
`restore`. Serving forces the lines of the source between those that the model writes; training
renders its rows with the same class.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.translation.body_comments import Notes, without_notes
from glm_codegen.translation.outline import Outline, outline
from glm_codegen.translation.placeholders import PlaceholderDecoder, PlaceholderTokens

LABELS = {
    "python": "Python",
    "java": "Java",
    "javascript": "JavaScript",
    "typescript": "JavaScript",
    "cpp": "C++",
    "c": "C++",
    "go": "Go",
}
TARGETS = ("python", "java", "javascript", "cpp", "go")
_UNTYPED = {
    "python": re.compile(r"\bdef [^(]*\((?:self|cls)?(?:, ?)?(?!self\))(?!cls\))[^\s:()=]+[,)]"),
    "javascript": re.compile(
        r"(?:\bfunction ?[^(\s]*|\bconstructor|^\s*[\ue000-\ue0ff])\([^\s:(){}]+[,)][^;]*\{", re.M
    ),
}


@dataclass(frozen=True, kw_only=True)
class NanoPrompt:
    """The start of a translation: ids to prefill, and the lines to be forced after them.

    `outline` has no comments inside bodies: they are `notes`.
    """

    token_ids: tuple[int, ...]
    lines: tuple[tuple[int, ...], ...]
    outline: Outline
    notes: Notes


class NanoTranslateFormat:
    """Renders prompts and reads answers of nano-translate."""

    name = "nano-translate"

    def __init__(self, tokenizer: TextTokenizer) -> None:
        """Raises ValueError where the tokenizer lacks a control token."""
        self._tokenizer = tokenizer
        self.placeholders = PlaceholderTokens(tokenizer)
        names = ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<|endoftext|>")
        found = [tokenizer.control_id(name) for name in names]
        if any(token is None for token in found):
            raise ValueError(f"the tokenizer lacks one of {', '.join(names)}")
        self.system, self.ask, self.answer, self.close, self.end = (
            t for t in found if t is not None
        )

    def outline(self, code: str, source: str, *, first: int = 0) -> Outline:
        """Outline of a unit, its placeholders numbered from `first` on, around the circle."""
        count = self.placeholders.count
        numbers: Sequence[int] = [(first + step) % count for step in range(count)]
        return outline(code, source, numbers)

    def line_ids(self, line: str) -> list[int]:
        """Ids of one line, of the source or of the target."""
        return self.placeholders.encode("\n" + line)

    def opening(self, found: Outline, source: str, target: str) -> list[int]:
        """Everything before the first line."""
        ids = [self.system, *self._tokenizer.encode(f"{LABELS[source]}\n{LABELS[target]}")]
        if untyped(found, source):
            ids += self.placeholders.encode("\n" + found.text)
        return ids

    def render(self, code: str, source: str, target: str) -> NanoPrompt:
        """Prompt of one unit. Raises KeyError for a language that is not in `LABELS`."""
        found, notes = without_notes(self.outline(code, source), source)
        lines = tuple(tuple(self.line_ids(line)) for line in found.lines)
        ids = self.opening(found, source, target)
        return NanoPrompt(token_ids=tuple(ids), lines=lines, outline=found, notes=notes)

    def decoder(self) -> PlaceholderDecoder:
        """Decoder of one answer."""
        return self.placeholders.decoder()


_FLOATS = re.compile(r"\d\.\d|0\.[\ue000-\ue0ff]|\bsqrt\(|[^/*] / ")
_WHOLE_PARTS = re.compile(r"Math\.(?:floor|trunc)\([^()]*\)|//[^\n]*|/\*.*?\*/", re.DOTALL)


def untyped(found: Outline, source: str) -> bool:
    """Whether the outline's definitions leave types open that only their bodies tell.

    A parameter without a type; in JavaScript also a number, where something tells of floats.
    """
    pattern = _UNTYPED.get("javascript" if source == "typescript" else source)
    if pattern is None:
        return False
    if pattern.search(found.text) is not None:
        return True
    numbers = source in ("javascript", "typescript") and "number" in found.text
    return numbers and _FLOATS.search(_WHOLE_PARTS.sub("", found.text)) is not None
