"""The language server: puts session, documents, completer and daemon link together, and runs them.

One process serves one editor. Not here: what a method does (see `features/`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from glm_lsp.client_profile import ClientProfile
from glm_lsp.completer import Completer
from glm_lsp.daemon_link import DaemonLink
from glm_lsp.document_settings import DocumentSettings
from glm_lsp.documents import Document, DocumentStore
from glm_lsp.features import (
    ask_image,
    chat,
    code_action,
    completion,
    configuration,
    draw_image,
    execute_command,
    explain_last,
    finetune,
    index_progress,
    initialize,
    inline_completion,
    models,
    status,
    text_sync,
    translate,
    watched_files,
    workspace_folders,
)
from glm_lsp.features.workspace_folders import WorkspaceFolders
from glm_lsp.json_body import JsonObject
from glm_lsp.memory_feeding import MemoryFeeding
from glm_lsp.session import Phase, Session
from glm_lsp.transport import Descriptors, FrameReader, FrameWriter, claim_stdio
from glm_lsp.workspace_adapters import WorkspaceAdapters
from glm_lsp.workspace_knowledge import WorkspaceKnowledge
from glm_protocol.answers import Chunk
from glm_protocol.completion import CompletionRequest
from glm_protocol.requests import AnyRequest
from glm_protocol.settings import Settings

log = logging.getLogger(__name__)


class LanguageServer:
    """Everything that one editor's session holds. Features get it as their first argument."""

    def __init__(self, send: Callable[[bytes], None], on_end: Callable[[int], None]) -> None:
        self.session = Session(send, on_end)
        self.profile = ClientProfile()
        self.documents = DocumentStore()
        self.folders = WorkspaceFolders()
        self.document_settings = DocumentSettings()
        self.memory = configuration.ConfigurationMemory()
        self.configured = asyncio.Event()  # the editor's settings are known
        self.trigger_kinds = inline_completion.TriggerKinds()
        self.accepted = 0  # suggestions taken by the user
        self.last_opened: Document | None = None
        self.link: DaemonLink | None = None
        self.index_progress = index_progress.IndexProgress(self.session)
        self.knowledge = WorkspaceKnowledge(
            self.folders.root_of, self.folders.path_of, self.index_progress.follow
        )
        self.completer = Completer(self._complete, self.folders.path_of, self.knowledge.snippets)
        self.completer.settings_of = self.document_settings.of
        self.completer.adapter_of = WorkspaceAdapters(self.folders.root_of).adapter_of
        self.feeding = MemoryFeeding(self.folders.root_of, self.folders.path_of, self._ask)
        self.completer.workspace_of = self.feeding.name_of
        self.completer.on_report = self.feeding.heard
        self.status = status.StatusLine(self.session)
        self.abilities = code_action.ModelAbilities()
        self.handlers = requests()
        self.session.register(
            {method: partial(handler, self) for method, handler in self.handlers.items()},
            {method: partial(handler, self) for method, handler in notifications().items()},
        )

    @property
    def settings(self) -> Settings:
        """Those that hold where nothing was said about a document."""
        return self.document_settings.everywhere

    async def close(self) -> None:
        """End every task and connection of the session. The daemon runs on."""
        self.completer.forget_all()
        await self.session.close()
        await self.feeding.aclose()
        await self.knowledge.aclose()
        if self.link is not None:
            await self.link.aclose()

    async def _complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        self.feeding.wanted = not self.settings.daemon.url
        self.feeding.excludes = self.settings.context.exclude
        async with aclosing(self._ask(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _ask(self, request: AnyRequest) -> AsyncGenerator[Chunk, None]:
        await self.configured.wait()
        async with aclosing(configuration.link_of(self).stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk


def requests() -> dict[str, Callable[[LanguageServer, JsonObject], Any]]:
    """Requests that are answered. A handler gives the result, or a coroutine of it."""
    return {
        "initialize": initialize.initialize,
        "shutdown": initialize.shutdown,
        "textDocument/inlineCompletion": inline_completion.inline_completion,
        "textDocument/completion": completion.completion,
        "workspace/executeCommand": execute_command.execute_command,
        "glm/status": status.status,
        "glm/models": models.models,
        "glm/explainLast": explain_last.explain_last,
        "glm/chat": chat.chat,
        "glm/askImage": ask_image.ask_image,
        "glm/drawImage": draw_image.draw_image,
        "glm/translate": translate.translate,
        "glm/finetune": finetune.finetune,
        "textDocument/hover": ask_image.hover,
        "textDocument/codeAction": code_action.code_action,
    }


def notifications() -> dict[str, Callable[[LanguageServer, JsonObject], None]]:
    """Notifications that mean something to us; others are ignored, as LSP allows."""
    return {
        "initialized": initialize.initialized,
        "textDocument/didOpen": text_sync.did_open,
        "textDocument/didChange": text_sync.did_change,
        "textDocument/didSave": watched_files.did_save,
        "textDocument/didClose": text_sync.did_close,
        "workspace/didChangeConfiguration": configuration.did_change_configuration,
        "workspace/didChangeWatchedFiles": watched_files.did_change_watched_files,
        "workspace/didChangeWorkspaceFolders": workspace_folders.did_change_workspace_folders,
    }


async def serve(descriptors: Descriptors) -> int:
    """One session over two descriptors, to its end. The process's exit code."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    def broken(problem: str) -> None:
        log.error("%s", problem)
        loop.call_soon_threadsafe(end, 1)

    writer = FrameWriter(descriptors.write_fd, broken)
    server = LanguageServer(writer.send, end)

    def stream_ended(problem: str | None) -> None:
        if problem is not None:
            log.error("the editor's stream is not LSP any more: %s", problem)
            message = f"glm-lsp ends: {problem}"
            server.session.notify("window/showMessage", {"type": 1, "message": message})
        end(0 if problem is None and server.session.phase is Phase.SHUT_DOWN else 1)

    FrameReader(descriptors.read_fd, loop, server.session.receive, stream_ended).start()
    try:
        return await ended
    finally:
        await server.close()
        writer.close()


def run_stdio() -> int:
    """Serve the editor that started us, on stdin and stdout. The process's exit code."""
    descriptors = claim_stdio()
    set_up_log()
    return asyncio.run(serve(descriptors))


def run_tcp(host: str, port: int) -> int:
    """Wait for one editor on a loopback port and serve it; then end."""
    set_up_log()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=1) as listener:
        name, number = listener.getsockname()[:2]
        print(f"glm-lsp: waiting for an editor on {name}:{number}", file=sys.stderr, flush=True)
        connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fd = connection.fileno()
        return asyncio.run(serve(Descriptors(read_fd=fd, write_fd=os.dup(fd))))


def set_up_log() -> None:
    """Warnings and errors on stderr; a broken stderr is nobody's trouble."""
    logging.raiseExceptions = False
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s"
    )
    # It warns of every byte for a worker process that ended, which is said elsewhere.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
