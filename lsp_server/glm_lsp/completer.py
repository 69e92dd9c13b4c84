"""Decides for each document: reuse the last suggestion, go on with it, or ask for a new one.

At most one generation a document. Knows nothing of LSP's messages.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from glm_context.secret_rules import redact
from glm_lsp.context_window import ContextWindow, window_at
from glm_lsp.documents import Cursor, Document
from glm_lsp.generation import Generation
from glm_lsp.insert_text import clean
from glm_lsp.position_codec import without_surrogates
from glm_lsp.suggestion import remainder, typed_since
from glm_protocol.answers import Chunk
from glm_protocol.completion import (
    CodeContext,
    CompletionMode,
    CompletionRequest,
    GhostText,
    Snippet,
)
from glm_protocol.request_fields import Trigger
from glm_protocol.settings import Settings

ALTERNATIVES = 3  # that are looked for when a person asks
DEADLINE_MS = 1_800  # the daemon's; every request of the editor is answered within 2 s

Complete = Callable[[CompletionRequest], AsyncGenerator[Chunk, None]]
Gather = Callable[[Document, ContextWindow], Awaitable[tuple[Snippet, ...]]]


class Completer:
    """The generations of a session. `path_of` names a document to the daemon; `gather` gives
    what the workspace knows about a cursor, soon."""

    def __init__(self, complete: Complete, path_of: Callable[[str], str], gather: Gather) -> None:
        self.settings_of: Callable[[str], Settings] = lambda _: Settings()  # of a document
        self.adapter_of: Callable[[str], str | None] = lambda _: None  # of a document's workspace
        self._complete = complete
        self._path_of = path_of
        self._gather = gather
        self._generations: dict[str, Generation] = {}
        self._last: dict[str, Generation] = {}  # kept to be explained
        self.newest: str | None = None  # the document that was completed last
        self.workspace_of: Callable[[str], str] = lambda _: ""
        self.on_report: Callable[[str, Mapping[str, Any]], None] = lambda _uri, _report: None
        self._numbers = itertools.count(1)
        self._session = f"{os.getpid():x}-{os.urandom(6).hex()}"

    def reuse(self, document: Document, window: ContextWindow) -> str | None:
        """What is left of a finished suggestion that the user types along; None without one.

        Empty when its last character was typed by hand: the next one comes with the next key.
        """
        generation = self._generations.get(document.uri)
        if generation is None or not generation.whole or not generation.text:
            return None
        left = self.left_of(generation, window)
        if left is None:
            return None
        typed = len(self.text_of(generation)) - len(left)
        if not left and typed - generation.shown > 1:
            return None  # accepted as a whole: go on behind it
        generation.shown = typed
        return left

    def text_of(self, generation: Generation) -> str:
        """A generation's text, fit to be inserted."""
        return clean(generation.text, generation.anchor.prefix)

    def left_of(self, generation: Generation, window: ContextWindow) -> str | None:
        """What of its text is still to come at `window`; None if it does not lead there."""
        typed = typed_since(generation.anchor, window)
        return None if typed is None else remainder(self.text_of(generation), typed)

    def generation_for(
        self, document: Document, window: ContextWindow, trigger: Trigger
    ) -> Generation:
        """A generation that leads to `window`: the running one if it still may, else a new one."""
        running = self._generations.get(document.uri)
        if running is not None and not running.finished and self._may_lead(running, window):
            return running
        if running is not None:
            running.supersede()
        generation = Generation(window, f"{self._session}-{next(self._numbers)}", trigger)
        self._generations[document.uri] = self._last[document.uri] = generation
        self.newest = document.uri
        automatic = trigger is Trigger.AUTOMATIC
        debounce_ms = self.settings_of(document.uri).inline_completion.debounce_ms
        delay_s = debounce_ms / 1000 if automatic else 0.0
        request = self._request(generation, document, trigger)
        generation.start(lambda: self._stream(request, document, window), delay_s)
        return generation

    async def _stream(
        self, request: CompletionRequest, document: Document, window: ContextWindow
    ) -> AsyncGenerator[Chunk, None]:
        """The daemon's answer to the request with its snippets."""
        snippets = await self._gather(document, window)
        context = replace(request.context, snippets=snippets)
        async with aclosing(self._complete(replace(request, context=context))) as chunks:
            async for chunk in chunks:
                if chunk.end is not None:
                    self.on_report(document.uri, chunk.end.report)
                yield chunk

    def last_of(self, uri: str) -> Generation | None:
        """The document's last generation, whatever came of it."""
        return self._last.get(uri)

    def others_of(self, generation: Generation, window: ContextWindow) -> list[str]:
        """What of the alternatives is still to come at `window`."""
        typed = typed_since(generation.anchor, window)
        texts = (clean(other, generation.anchor.prefix) for other in generation.alternatives)
        left = [] if typed is None else [remainder(text, typed) for text in texts]
        return [text for text in left if text]

    def prepare_ahead(self, document: Document) -> None:
        """A suggestion was accepted: begin the one behind it before the editor asks."""
        taken = self._generations.get(document.uri)
        if taken is None or not taken.whole or not taken.text:
            return
        text = self.text_of(taken)
        anchor = taken.anchor
        window = replace(anchor, line=anchor.line + text.count("\n"), prefix=anchor.prefix + text)
        self.forget(document.uri)
        self.generation_for(document, window, Trigger.AUTOMATIC)

    async def prefill(self, document: Document) -> None:
        """A document was opened: let the engine read it while nobody asks for anything.

        A background request for one token behind the text, under a name of its own: the engine
        drops it behind whatever is asked, and a cursor anywhere in the text finds what precedes
        it computed. Not for a text longer than a window, which would be cut elsewhere.
        """
        last = len(document.lines) - 1
        window = window_at(document, Cursor(line=last, index=len(document.lines[last])))
        if len(window.prefix) < sum(map(len, document.lines)):
            return
        number = f"{self._session}-{next(self._numbers)}"
        asked = self._request(
            Generation(window, number, Trigger.BACKGROUND), document, Trigger.BACKGROUND
        )
        snippets = await self._gather(document, window)
        request = replace(
            asked,
            document=f"{asked.document}/opened",
            context=replace(asked.context, snippets=snippets),
            max_tokens=1,
            ghost=None,
        )
        async with aclosing(self._complete(request)) as chunks:
            async for _ in chunks:
                pass

    def forget(self, uri: str) -> None:
        """The document was closed or its suggestion accepted."""
        generation = self._generations.pop(uri, None)
        if generation is not None:
            generation.supersede()

    def forget_all(self) -> None:
        for uri in list(self._generations):
            self.forget(uri)

    def _may_lead(self, running: Generation, window: ContextWindow) -> bool:
        """Whether the text so far agrees with what was typed meanwhile, as far as either goes."""
        typed = typed_since(running.anchor, window)
        if typed is None:
            return False
        text = self.text_of(running)
        return text.startswith(typed) or (bool(text) and typed.startswith(text))

    def _request(
        self, generation: Generation, document: Document, trigger: Trigger
    ) -> CompletionRequest:
        settings, window = self.settings_of(document.uri), generation.anchor
        automatic = trigger is not Trigger.EXPLICIT
        prefix, _ = redact(without_surrogates(window.prefix), document.language)
        suffix, _ = redact(without_surrogates(window.suffix), document.language)
        # Two editors may show one file; each has its own newest request.
        buffer = hashlib.sha256(document.uri.encode("utf-8", "replace")).hexdigest()[:32]
        return CompletionRequest(
            id=generation.request_id,
            document=f"{self._session}/{buffer}",
            context=CodeContext(
                path=self._path_of(document.uri),
                language=document.language[:64],
                prefix=prefix,
                suffix=suffix,
            ),
            mode=CompletionMode(settings.inline_completion.mode),
            trigger=trigger,
            model=settings.model or None,
            adapter=settings.adapter or self.adapter_of(document.uri),
            max_tokens=settings.inline_completion.max_tokens,
            deadline_ms=DEADLINE_MS,
            workspace=self.workspace_of(document.uri),
            ghost=GhostText(
                quiet=settings.inline_completion.quiet / 100 if automatic else 0.0,
                count=1 if automatic else ALTERNATIVES,
            ),
        )
