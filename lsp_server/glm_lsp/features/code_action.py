"""`textDocument/codeAction`: the features' actions, and the command that runs one.

A contributor is a function of a feature that names what it offers for a place. An action's command
is `glm.server.task` with one argument, `{request, params}`; our plug-ins run the request
themselves, for other clients `workspace/executeCommand` runs it here and applies its edit.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from glm_lsp.daemon_link import DaemonState
from glm_lsp.features import ask_image, chat_actions, configuration, draw_image, translate
from glm_lsp.json_body import JsonObject
from glm_lsp.offered_action import Action, Place
from glm_lsp.params import read_object, read_range, read_string, read_uri
from glm_lsp.rpc_errors import InvalidParams
from glm_protocol.errors import GlmError

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

TASK = "glm.server.task"
KINDS = ("quickfix", "refactor", "source")
CAPABILITIES_KEPT_S = 10.0
MAX_SHOWN = 2000  # characters of an answer in a message box
INFO = 3


Contributor = Callable[[Place], Iterable[Action]]
CONTRIBUTORS: tuple[Contributor, ...] = (
    chat_actions.actions,
    ask_image.actions,
    draw_image.actions,
    translate.actions,
)


class ModelAbilities:
    """What the default model can do, asked of the daemon now and then."""

    def __init__(self) -> None:
        self.words: frozenset[str] = frozenset()
        self._asked = -CAPABILITIES_KEPT_S

    async def of(self, server: LanguageServer) -> frozenset[str]:
        """Never waits for a daemon that is not there; the last answer counts until the next."""
        now = time.monotonic()
        if now - self._asked < CAPABILITIES_KEPT_S:
            return self.words
        try:
            link = configuration.link_of(server)
            if link.status.state is not DaemonState.READY:
                return self.words
            listed = await link.call("GET", "/v1/models")
        except GlmError:
            return self.words
        self.words = abilities(listed, server.settings.model)
        if self.words:  # a model that is not loaded yet has not told
            self._asked = now
        return self.words


def abilities(listed: JsonObject, model: str) -> frozenset[str]:
    """Capabilities of the named or the default model in the daemon's list of models."""
    for entry in listed.get("data", []):
        told = entry.get("glm", {}) if isinstance(entry, dict) else {}
        if told.get("default") if not model else entry.get("id") == model:
            return frozenset((told.get("info") or {}).get("capabilities") or ())
    return frozenset()


async def code_action(server: LanguageServer, params: JsonObject) -> list[JsonObject]:
    """The actions for a place; an empty list where there are none."""
    document = server.documents.get(read_uri(params))
    where, context = read_range(params), read_object(params, "context")
    if document is None or document.unusable is not None or not server.configured.is_set():
        return []
    if not server.document_settings.of(document.uri).enabled_for(
        document.language
    ) or server.knowledge.is_secret(document):
        return []
    diagnostics = context.get("diagnostics")
    place = Place(
        document=document,
        range=where,
        diagnostics=tuple(d for d in diagnostics if isinstance(d, dict))
        if isinstance(diagnostics, list)
        else (),
        capabilities=await server.abilities.of(server),
        root=server.folders.root_of(document.uri),
    )
    only = context.get("only")
    wanted = [kind for kind in only if isinstance(kind, str)] if isinstance(only, list) else None
    found = [action for contribute in CONTRIBUTORS for action in contribute(place)]
    return [to_wire(action) for action in found if wanted is None or is_wanted(action, wanted)]


def is_wanted(action: Action, wanted: list[str]) -> bool:
    """Kinds are hierarchical: `refactor` asks for `refactor.rewrite` too."""
    return any(action.kind == kind or action.kind.startswith(f"{kind}.") for kind in wanted)


def to_wire(action: Action) -> JsonObject:
    argument = {"request": action.request, "params": action.params}
    command = {"title": action.title, "command": TASK, "arguments": [argument]}
    wire: JsonObject = {"title": action.title, "kind": action.kind, "command": command}
    if action.diagnostics:
        wire["diagnostics"] = list(action.diagnostics)
    return wire


async def run_task(server: LanguageServer, arguments: list[Any]) -> Any:
    """Run an action's request for a client without our plug-in: apply its edit, show its text."""
    argument = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
    request = read_string(argument, "request")
    params = {"token": f"glm-task-{uuid.uuid4().hex}", **read_object(argument, "params")}
    handler = server.handlers.get(request) if request.startswith("glm/") else None
    if handler is None:
        raise InvalidParams(f"There is no task {request[:60]!r}.")
    result = await handler(server, params)  # every such request is long work
    edit = result.get("edit") if isinstance(result, dict) else None
    if edit is not None:
        await server.session.ask("workspace/applyEdit", {"label": "glm-lsp", "edit": edit})
    elif isinstance(result, dict) and isinstance(result.get("text"), str):
        message = result["text"][:MAX_SHOWN]
        server.session.notify("window/showMessage", {"type": INFO, "message": message})
    return result
