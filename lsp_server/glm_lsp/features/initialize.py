"""`initialize`, `initialized` and `shutdown`: what we can do, and the first moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm_lsp.client_profile import ClientProfile, read_profile
from glm_lsp.features import configuration
from glm_lsp.features.code_action import KINDS
from glm_lsp.features.completion import COMPLETION_OPTIONS
from glm_lsp.features.execute_command import COMMANDS
from glm_lsp.json_body import JsonObject
from glm_protocol.settings import Fallback

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

INCREMENTAL = 2


def initialize(server: LanguageServer, params: JsonObject) -> JsonObject:
    """Answer at once; whatever takes time waits for `initialized`."""
    server.profile = read_profile(params)
    server.documents.encoding = server.profile.encoding
    server.status.progress.announced = server.profile.progress
    server.index_progress.announced = server.profile.progress
    server.folders.begin(params)
    configuration.take_initial(server, params.get("initializationOptions"))
    return {
        "capabilities": capabilities(server.profile, server.settings.completion.fallback),
        "serverInfo": {"name": "glm-lsp"},
    }


def capabilities(profile: ClientProfile, fallback: Fallback) -> JsonObject:
    """What the server offers this editor."""
    offered: JsonObject = {
        "positionEncoding": str(profile.encoding),
        "textDocumentSync": {"openClose": True, "change": INCREMENTAL, "save": True},
        "inlineCompletionProvider": {},
        "hoverProvider": True,
        "codeActionProvider": {"codeActionKinds": list(KINDS)},
        "executeCommandProvider": {"commands": list(COMMANDS)},
        "workspace": {
            "workspaceFolders": {"supported": True, "changeNotifications": True},
        },
    }
    if fallback is Fallback.ON or (fallback is Fallback.AUTO and not profile.inline_completion):
        offered["completionProvider"] = COMPLETION_OPTIONS
    return offered


def initialized(server: LanguageServer, _: JsonObject) -> None:
    """The editor may be asked things from now on."""
    server.session.in_background(configuration.configure(server), "configure")


def shutdown(server: LanguageServer, _: JsonObject) -> None:
    """Stop the work; the process waits for `exit`."""
    server.completer.forget_all()
