"""`textDocument/didOpen`, `didChange`, `didClose`: keep the buffers as the editor has them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from glm_lsp.daemon_link import DaemonState
from glm_lsp.features import configuration
from glm_lsp.json_body import JsonObject
from glm_lsp.params import (
    read_change,
    read_list,
    read_object,
    read_string,
    read_uri,
    read_version,
)
from glm_lsp.rpc_errors import InvalidParams
from glm_protocol.errors import GlmError

if TYPE_CHECKING:
    from glm_lsp.documents import Document
    from glm_lsp.server import LanguageServer

SETTLED_S = 0.3  # after which a newly opened document is looked at

log = logging.getLogger(__name__)


def did_open(server: LanguageServer, params: JsonObject) -> None:
    """Begin to follow a buffer; opened twice, the second text counts."""
    uri = read_uri(params)
    item = read_object(params, "textDocument")
    language = item.get("languageId")
    document = server.documents.open(
        uri,
        language if isinstance(language, str) else "",
        read_version(params),
        read_string(item, "text"),
    )
    server.completer.forget(uri)
    server.knowledge.begin(document)
    configuration.opened(server, document)
    usable = document.unusable is None and not server.knowledge.is_secret(document)
    ready = server.link is not None and server.link.status.state is DaemonState.READY
    if usable and ready:
        server.session.in_background(prefill_opened(server, document), "prefill")


async def prefill_opened(server: LanguageServer, document: Document) -> None:
    """Have it read ahead unless another document was opened at once, as when a session is
    restored, or this one was typed in or closed."""
    server.last_opened = document
    version = document.version
    await asyncio.sleep(SETTLED_S)
    same = server.documents.get(document.uri) is document and document.version == version
    enabled = server.document_settings.of(document.uri).enabled_for(document.language)
    if server.last_opened is document and same and enabled and any(document.lines):
        with contextlib.suppress(GlmError):  # nobody asked for it
            await server.completer.prefill(document)


def did_change(server: LanguageServer, params: JsonObject) -> None:
    """Apply an edit. What cannot be applied marks the document, so that nothing wrong is said."""
    uri = read_uri(params)
    document = server.documents.get(uri)
    if document is None:
        log.warning("a change of a document that is not open is ignored")
        return
    was_usable = document.unusable is None
    try:
        changes = [read_change(change) for change in read_list(params, "contentChanges")]
        document.change(read_version(params), changes)
        line = max((c.range.start.line for c in changes if c.range is not None), default=0)
        server.knowledge.note(document, line)
    except InvalidParams:
        document.mark_stale()
        raise
    finally:
        if was_usable and (why := document.unusable) is not None:
            log.warning("completions pause in one document: %s", why)


def did_close(server: LanguageServer, params: JsonObject) -> None:
    """Let go of a buffer and of what is being written for it."""
    uri = read_uri(params)
    server.completer.forget(uri)
    server.knowledge.forget(uri)
    server.document_settings.forget(uri)
    server.documents.close(uri)
