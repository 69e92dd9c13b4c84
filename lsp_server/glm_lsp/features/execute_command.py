"""`workspace/executeCommand`: restart, accepted, status, and the task of a code action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glm_lsp.features import code_action, configuration
from glm_lsp.features.inline_completion import ACCEPTED
from glm_lsp.features.status import status
from glm_lsp.json_body import JsonObject
from glm_lsp.params import read_string
from glm_lsp.rpc_errors import REQUEST_FAILED, InvalidParams, LspError
from glm_protocol.errors import GlmError

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

RESTART = "glm.server.restart"
STATUS = "glm.server.status"
COMMANDS = (RESTART, ACCEPTED, STATUS, code_action.TASK)


def execute_command(server: LanguageServer, params: JsonObject) -> Any:
    """The command's result, or a coroutine of it."""
    command = read_string(params, "command")
    arguments = params.get("arguments")
    match command:
        case "glm.server.restart":
            return restart(server)
        case "glm.server.accepted":
            return accepted(server, arguments if isinstance(arguments, list) else [])
        case "glm.server.status":
            return status(server, {})
        case "glm.server.task":
            return code_action.run_task(server, arguments if isinstance(arguments, list) else [])
    raise InvalidParams(f"Unknown command {command[:100]!r}.")


async def restart(server: LanguageServer) -> None:
    """Drain the daemon and start a new one; completions switched off by crashes come back."""
    server.completer.forget_all()
    try:
        await configuration.link_of(server).restart()
    except GlmError as error:
        raise LspError(REQUEST_FAILED, str(error)) from error


def accepted(server: LanguageServer, arguments: list[Any]) -> None:
    """The user took a suggestion: what comes next is a new one."""
    server.accepted += 1
    uri = arguments[0].get("uri") if arguments and isinstance(arguments[0], dict) else None
    if isinstance(uri, str):
        document = server.documents.get(uri)
        if document is not None:
            server.completer.prepare_ahead(document)
        else:
            server.completer.forget(uri)
