"""`textDocument/completion`: suggestions in the ordinary menu, for editors without ghost text.

Never slower than 50 ms while typing: what is not ready comes at the next key (`isIncomplete`),
the generation runs on meanwhile. An explicit invocation waits.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from glm_lsp.context_window import window_at
from glm_lsp.documents import Cursor, Document
from glm_lsp.features.inline_completion import (
    PATIENCE_S,
    accepted_command,
    cursor_now,
    wanted,
)
from glm_lsp.generation import Generation
from glm_lsp.insert_text import with_line_ends
from glm_lsp.json_body import JsonObject
from glm_lsp.params import Range, read_position, read_uri
from glm_protocol.request_fields import Trigger
from glm_protocol.settings import Fallback

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

COMPLETION_OPTIONS: JsonObject = {"triggerCharacters": list(".([{,=: /"), "resolveProvider": False}
AUTOMATIC_PATIENCE_S = 0.03
TYPING_S = 0.1  # an invocation so soon after an edit comes from typing, whatever its kind says
INVOKED = 1
MAX_LABEL = 60
TEXT_KIND, PLAIN_TEXT, AS_IS = 1, 1, 1


def completion(
    server: LanguageServer, params: JsonObject
) -> JsonObject | Coroutine[Any, Any, JsonObject]:
    """A list with at most one entry, now or a moment later."""
    document = server.documents.get(read_uri(params))
    cursor = None if document is None else document.cursor(read_position(params))
    if document is None or cursor is None or not offered(server) or not wanted(server, document):
        return entries(None)
    window = window_at(document, cursor)
    if "\0" in window.prefix or "\0" in window.suffix:
        return entries(None)
    left = server.completer.reuse(document, window)
    if left is not None:
        return entries(entry(document, cursor, left))
    explicit = is_explicit(params, document)
    trigger = Trigger.EXPLICIT if explicit else Trigger.AUTOMATIC
    generation = server.completer.generation_for(document, window, trigger)
    return answer_later(server, document, generation, explicit)


def offered(server: LanguageServer) -> bool:
    """Whether the menu is ours to use: the setting says so, or nothing else can show the text."""
    fallback = server.settings.completion.fallback
    automatic = fallback is Fallback.AUTO and not server.profile.inline_completion
    return automatic or fallback is Fallback.ON


def is_explicit(params: JsonObject, document: Document) -> bool:
    """LSP calls typing an identifier "invoked" too; only the clock tells it from a key like
    Ctrl+Space."""
    context = params.get("context")
    kind = context.get("triggerKind") if isinstance(context, dict) else INVOKED
    return kind == INVOKED and time.monotonic() - document.changed_at > TYPING_S


async def answer_later(
    server: LanguageServer, document: Document, generation: Generation, explicit: bool
) -> JsonObject:
    """What is there in time; the rest runs on."""
    await generation.wait(PATIENCE_S if explicit else AUTOMATIC_PATIENCE_S)
    if not generation.finished or generation.superseded:
        return entries(None)
    if generation.end is not None:
        server.status.answered_by(generation.end.model)
    cursor = cursor_now(document, generation.anchor)
    if cursor is None or server.documents.get(document.uri) is not document:
        return entries(None)
    left = server.completer.left_of(generation, window_at(document, cursor))
    return entries(entry(document, cursor, left or ""))


def entries(one: JsonObject | None) -> JsonObject:
    """Always incomplete: the next key may bring what is not there yet."""
    return {"isIncomplete": True, "items": [] if one is None else [one]}


def entry(document: Document, cursor: Cursor, left: str) -> JsonObject | None:
    """The menu's entry for what is left of a suggestion; None for nothing."""
    if not left.strip():
        return None
    start = document.identifier_start(cursor)
    head = document.lines[cursor.line][start.index : cursor.index]
    text = head + with_line_ends(left, document.line_end)
    first = (head + left).strip().split("\n", 1)[0]
    where = Range(start=document.position(start), end=document.position(cursor))
    return {
        "label": first if len(first) <= MAX_LABEL else first[: MAX_LABEL - 1] + "…",
        "kind": TEXT_KIND,
        "detail": "glm",
        "documentation": {"kind": "plaintext", "value": head + left},
        "filterText": (head + left).split("\n", 1)[0],
        "insertTextFormat": PLAIN_TEXT,
        "insertTextMode": AS_IS,
        "textEdit": {"range": where.to_wire(), "newText": text},
        "command": accepted_command(document),
    }
