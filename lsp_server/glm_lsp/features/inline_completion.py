"""`textDocument/inlineCompletion` (LSP 3.18): ghost text.

Reuse first: while the user types along a suggestion, the rest of it is the answer, without a call.
Otherwise the document's older request makes way (ContentModified) and the daemon is asked. Before
the answer goes out the document is looked at again: what was typed meanwhile is taken off.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glm_lsp.context_window import ContextWindow, window_at, with_selected
from glm_lsp.documents import Cursor, Document
from glm_lsp.generation import Generation
from glm_lsp.insert_text import with_line_ends
from glm_lsp.json_body import JsonObject
from glm_lsp.params import Range, read_object, read_position, read_range, read_string, read_uri
from glm_lsp.rpc_errors import ContentModified
from glm_protocol.request_fields import Trigger

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

PATIENCE_S = 1.9  # the daemon's own deadline is shorter
ACCEPTED = "glm.server.accepted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """The entry selected in the completion menu: ghost text has to go on from it."""

    range: Range
    text: str


def inline_completion(
    server: LanguageServer, params: JsonObject
) -> JsonObject | Coroutine[Any, Any, JsonObject]:
    """The answer, or a coroutine of it where the daemon has to be asked."""
    document = server.documents.get(read_uri(params))
    cursor = None if document is None else document.cursor(read_position(params))
    trigger, selected = read_context(server, params)
    if document is None or cursor is None or not wanted(server, document):
        if document is not None and document.unusable and trigger is Trigger.EXPLICIT:
            server.status.remark(document.unusable)  # asked for by hand: say why there is none
        return {"items": []}
    window = window_of(document, cursor, selected)
    if window is None or "\0" in window.prefix or "\0" in window.suffix:
        return {"items": []}  # binary
    left = server.completer.reuse(document, window)
    if left is not None:
        return items(server, document, cursor, left, selected)
    generation = server.completer.generation_for(document, window, trigger)
    return answer_later(server, document, generation, selected)


def wanted(server: LanguageServer, document: Document) -> bool:
    usable = document.unusable is None and not server.knowledge.is_secret(document)
    return usable and server.document_settings.of(document.uri).enabled_for(document.language)


def read_context(server: LanguageServer, params: JsonObject) -> tuple[Trigger, Selected | None]:
    """Why the editor asks, and the menu's selected entry."""
    context = params.get("context")
    if not isinstance(context, dict):
        return Trigger.AUTOMATIC, None
    trigger = server.trigger_kinds.read(context.get("triggerKind"))
    if context.get("selectedCompletionInfo") is None:
        return trigger, None
    info = read_object(context, "selectedCompletionInfo")
    return trigger, Selected(range=read_range(info), text=read_string(info, "text"))


class TriggerKinds:
    """LSP says Invoked = 1, Automatic = 2. Clients that pass VS Code's own numbers on say 0 and 1;
    a 0 gives them away."""

    def __init__(self) -> None:
        self._from_zero = False

    def read(self, kind: Any) -> Trigger:
        self._from_zero = (self._from_zero or kind == 0) and kind != 2
        invoked = 0 if self._from_zero else 1
        return Trigger.EXPLICIT if kind == invoked else Trigger.AUTOMATIC


def window_of(
    document: Document, cursor: Cursor, selected: Selected | None
) -> ContextWindow | None:
    """The text around the cursor, as it will be with the selected entry in place."""
    if selected is None:
        return window_at(document, cursor)
    start, end = document.cursor(selected.range.start), document.cursor(selected.range.end)
    if start is None or end is None or start.line != end.line or start.index > end.index:
        return None
    return with_selected(document, start, end, selected.text)


async def answer_later(
    server: LanguageServer, document: Document, generation: Generation, selected: Selected | None
) -> JsonObject:
    """Wait for the text and look again where it belongs."""
    version = document.version
    await generation.wait(PATIENCE_S)
    if generation.superseded or server.documents.get(document.uri) is not document:
        raise ContentModified
    if not generation.finished:
        generation.stop()  # what there is now is the answer
    if generation.end is not None:
        server.status.answered_by(generation.end.model)
    if selected is not None:
        if document.version != version:
            raise ContentModified
        left = server.completer.left_of(generation, generation.anchor)
        start = document.cursor(selected.range.end)
        return items(server, document, start, left, selected)
    cursor = cursor_now(document, generation.anchor)
    left = None
    if cursor is not None:
        now = window_at(document, cursor)
        left = server.completer.left_of(generation, now)
    if left is None or cursor is None:
        raise ContentModified
    answer = items(server, document, cursor, left, None)
    for other in server.completer.others_of(generation, now):
        answer["items"] += items(server, document, cursor, other, None)["items"]
    return answer


def cursor_now(document: Document, anchor: ContextWindow) -> Cursor | None:
    """Where the cursor of `anchor` is after typing on its line: as far from the line's end."""
    if document.unusable is not None or anchor.line >= len(document.lines):
        return None
    line = document.lines[anchor.line]
    content = line.rstrip("\r\n")
    rest = len(anchor.suffix.split("\n", 1)[0])
    return Cursor(line=anchor.line, index=max(0, len(content) - rest))


def items(
    server: LanguageServer,
    document: Document,
    cursor: Cursor | None,
    left: str | None,
    selected: Selected | None,
) -> JsonObject:
    """The result with at most one item, which replaces from the identifier's start to the cursor.

    From the identifier's start, because some editors keep what was typed since they asked: the
    text to be replaced then still is the beginning of the new text.
    """
    if not left or cursor is None:
        return {"items": []}
    if selected is not None:
        where, head = selected.range, selected.text
    else:
        start = document.identifier_start(cursor)
        head = document.lines[cursor.line][start.index : cursor.index]
        where = Range(start=document.position(start), end=document.position(cursor))
    line_end = "\n" if server.profile.wants_plain_line_feeds else document.line_end
    return {
        "items": [
            {
                "insertText": head + with_line_ends(left, line_end),
                "range": where.to_wire(),
                "command": accepted_command(document),
            }
        ]
    }


def accepted_command(document: Document) -> JsonObject:
    """Runs when the user takes the suggestion."""
    return {
        "title": "Suggestion accepted",
        "command": ACCEPTED,
        "arguments": [{"uri": document.uri}],
    }
