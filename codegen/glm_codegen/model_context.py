"""A context as models know text, and the way back to the document's own line ends.

The one place where line ends change: a model sees "\\n" alone, the editor gets what the document
uses. Lone surrogates, which editors can send and no tokenizer can take, become U+FFFD.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from glm_protocol.completion import FOR_MEMORY, CodeContext, Snippet


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelContext:
    """`context` with "\\n" for every line end; `newline` is what the document uses."""

    context: CodeContext
    newline: str

    def restore(self, text: str) -> str:
        """Text for the document. Pieces may be restored one by one."""
        return text if self.newline == "\n" else text.replace("\n", self.newline)


def to_model(context: CodeContext, *, snippet_characters: int) -> ModelContext:
    """Clean texts; leading snippets are kept while they add up to `snippet_characters`."""
    prefix, suffix = context.prefix, context.suffix
    if prefix.endswith("\r") and suffix.startswith("\n"):  # the cursor split one line end
        prefix, suffix = prefix[:-1], "\r" + suffix
    snippets = tuple(
        replace(snippet, text=clean(snippet.text), path=clean(snippet.path))
        for snippet in within(context.snippets, snippet_characters)
    )
    cleaned = replace(
        context,
        path=clean(context.path),
        prefix=clean(prefix),
        suffix=clean(suffix),
        snippets=snippets,
    )
    return ModelContext(context=cleaned, newline=newline_of(prefix, suffix))


def for_prompt(context: CodeContext, snippet_characters: int) -> CodeContext:
    """Without the snippets that are for a memory alone, and the others up to so many characters."""
    shown = tuple(snippet for snippet in context.snippets if snippet.source != FOR_MEMORY)
    return replace(context, snippets=within(shown, snippet_characters))


def within(snippets: tuple[Snippet, ...], characters: int) -> tuple[Snippet, ...]:
    """The leading snippets while they add up to so many characters."""
    ends = itertools.accumulate(len(snippet.text) for snippet in snippets)
    return tuple(one for one, end in zip(snippets, ends, strict=True) if end <= characters)


def newline_of(*texts: str) -> str:
    """The line end that occurs most; "\\n" where there is none."""
    pairs = sum(text.count("\r\n") for text in texts)
    returns = sum(text.count("\r") for text in texts) - pairs
    feeds = sum(text.count("\n") for text in texts) - pairs
    if pairs > max(feeds, returns):
        return "\r\n"
    return "\r" if returns > feeds else "\n"


def clean(text: str) -> str:
    """Line ends as "\\n"; surrogate pairs joined, lone surrogates replaced by U+FFFD."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
