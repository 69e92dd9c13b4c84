"""`workspace/configuration` and `didChangeConfiguration`: settings in, and what follows from them.

Bad values cost only their own keys; one message names them all.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from glm_client.daemon_address import DaemonAddress, LocalDaemon, TeamDaemon, read_token
from glm_client.daemon_client import DaemonClient
from glm_lsp.client_profile import look_up
from glm_lsp.daemon_link import DaemonLink
from glm_lsp.documents import Document
from glm_lsp.editor_excludes import SECTIONS, patterns_of
from glm_lsp.features.completion import COMPLETION_OPTIONS
from glm_lsp.features.watched_files import WATCHED
from glm_lsp.json_body import JsonObject
from glm_lsp.rpc_errors import LspError
from glm_protocol.errors import DaemonUnreachable, GlmError
from glm_protocol.folders import user_folders
from glm_protocol.settings import SECTION, Fallback, Settings, Trace, parse

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

LEVELS = {Trace.OFF: logging.WARNING, Trace.MESSAGES: logging.INFO, Trace.VERBOSE: logging.DEBUG}

log = logging.getLogger(__name__)


class ConfigurationMemory:
    """What was asked and said about settings in this session."""

    def __init__(self) -> None:
        self.initial: Any = None  # from `initializationOptions`
        self.complaints: list[str] = []
        self.change_registered = False
        self.completion_registered = False
        self.watching_registered = False


def take_initial(server: LanguageServer, options: Any) -> None:
    """Settings in `initializationOptions`, bare or under "glm"; complaints come later."""
    section = look_up(options, SECTION)
    server.memory.initial = options if section is None else section
    server.document_settings.everywhere, _ = parse(server.memory.initial)
    server.knowledge.settings = server.settings.context


async def configure(server: LanguageServer) -> None:
    """Ask the editor for its settings, and to be told when they change."""
    wire: Any = None
    if server.profile.configuration:
        try:
            items = [{"section": section} for section in (SECTION, *SECTIONS)]
            answer = await server.session.ask("workspace/configuration", {"items": items})
            if isinstance(answer, list) and answer:
                wire = answer[0]
                server.knowledge.editor_excludes = patterns_of(answer[1:])
        except LspError as error:
            log.warning("no settings from the editor: %s", error.message)
    take(server, server.memory.initial if wire is None else wire)
    if server.profile.dynamic_configuration and not server.memory.change_registered:
        server.memory.change_registered = True
        await register(server, "workspace/didChangeConfiguration", {"section": SECTION})
    if server.profile.dynamic_watching and not server.memory.watching_registered:
        server.memory.watching_registered = True
        watchers = {"watchers": [{"globPattern": WATCHED}]}
        await register(server, "workspace/didChangeWatchedFiles", watchers)


async def register(server: LanguageServer, method: str, options: JsonObject) -> None:
    """Register a capability after the fact; an editor that refuses just goes without."""
    registration = {"id": f"glm-{method}", "method": method, "registerOptions": options}
    try:
        await server.session.ask("client/registerCapability", {"registrations": [registration]})
    except LspError as error:
        log.warning("%s", error.message)


def did_change_configuration(server: LanguageServer, params: JsonObject) -> None:
    """New settings: pulled where the editor can be asked, else those that came along."""
    if server.profile.configuration:
        server.session.in_background(configure(server), "configure")
        return
    wire = look_up(params, "settings", SECTION)
    if wire is not None:
        take(server, wire)


def take(server: LanguageServer, wire: Any) -> None:
    """Make these the settings. Says once what is wrong with them."""
    before = server.settings
    settings, complaints = parse(wire)
    server.document_settings.everywhere = settings
    server.knowledge.take(settings.context)
    logging.getLogger("glm_lsp").setLevel(LEVELS[settings.trace.server])
    if complaints and complaints != server.memory.complaints:
        server.status.show("warning", "Settings of glm-lsp: " + " ".join(complaints))
    server.memory.complaints = complaints
    if address_settings(before) != address_settings(settings):
        drop_link(server)
    late = settings.completion.fallback is Fallback.ON and server.profile.inline_completion
    if late and server.profile.dynamic_completion and not server.memory.completion_registered:
        server.memory.completion_registered = True
        options = {**COMPLETION_OPTIONS, "documentSelector": None}
        server.session.in_background(
            register(server, "textDocument/completion", options), "register"
        )
    server.configured.set()
    for document in server.documents:
        opened(server, document)


def address_settings(settings: Settings) -> tuple[str, str, int, str]:
    """The settings that a connection depends on."""
    daemon = settings.daemon
    # The model matters only to a daemon that is yet to be started; requests name it themselves.
    return daemon.url, daemon.token_file, daemon.idle_exit_seconds, ""


def opened(server: LanguageServer, document: Document) -> None:
    """There is a document, or there are new settings for it."""
    warm_up(server, document)
    if server.profile.configuration and server.configured.is_set():
        server.session.in_background(ask_for(server, document), "settings of a document")


async def ask_for(server: LanguageServer, document: Document) -> None:
    """What the editor has set for this document's language and folder."""
    items = [{"scopeUri": document.uri, "section": SECTION}]
    try:
        answer = await server.session.ask("workspace/configuration", {"items": items})
    except LspError as error:
        log.info("no settings for a document: %s", error.message)
        return
    if isinstance(answer, list) and answer and server.documents.get(document.uri) is document:
        server.document_settings.take(document.uri, answer[0])


def warm_up(server: LanguageServer, document: Document) -> None:
    """Start the daemon as soon as there is a document that will want it."""
    if not server.configured.is_set() or document.unusable is not None:
        return
    if server.document_settings.of(document.uri).enabled_for(document.language):
        try:
            link_of(server).connect()
        except GlmError as error:
            server.status.problem(error)


def drop_link(server: LanguageServer) -> None:
    """The settings of the connection changed: the next request makes a new one."""
    if server.link is not None:
        server.session.in_background(server.link.aclose(), "close the old connection")
        server.link = None


def link_of(server: LanguageServer) -> DaemonLink:
    """The connection of these settings. Raises GlmError where they make none."""
    if server.link is None:
        server.link = DaemonLink(DaemonClient(address_of(server.settings)), server.status.take)
    return server.link


def address_of(settings: Settings) -> DaemonAddress:
    """Which daemon the settings name. Raises GlmError."""
    daemon = settings.daemon
    if daemon.url:
        token = read_token(daemon.token_file, os.environ.get("GLM_LSP_TOKEN"))
        return TeamDaemon(url=daemon.url, token=token)
    try:
        folders = user_folders()
    except ValueError as error:
        raise DaemonUnreachable(str(error), remedy="") from error
    arguments = ["--idle-exit", str(daemon.idle_exit_seconds)]
    if settings.model:
        arguments += ["--model", settings.model]
    return LocalDaemon(folders=folders, serve_args=tuple(arguments))
