"""A context as models know text, and the way back to the document's own line ends.

The one place where line ends change: a model sees "\\n" alone, the editor gets what the document
uses. Lone surrogates, which editors can send and no tokenizer can take, become U+FFFD.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from glm_protocol.completion import CodeContext, Snippet


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
    snippets: list[Snippet] = []
    for snippet in context.snippets:
        snippet_characters -= len(snippet.text)
        if snippet_characters >= 0:
            snippets.append(replace(snippet, text=clean(snippet.text), path=clean(snippet.path)))
    cleaned = replace(
        context,
        path=clean(context.path),
        prefix=clean(prefix),
        suffix=clean(suffix),
        snippets=tuple(snippets),
    )
    return ModelContext(context=cleaned, newline=newline_of(prefix, suffix))


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
