"""Parameters of `glm/chat` as typed values, read once, at the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm_lsp import code_tasks
from glm_lsp.code_tasks import Source
from glm_lsp.documents import Document
from glm_lsp.json_body import JsonObject
from glm_lsp.params import read_list, read_range, read_string, read_uri
from glm_lsp.rpc_errors import InvalidParams
from glm_protocol.chat import ChatMessage, Role
from glm_protocol.errors import BadRequest

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

MAX_MESSAGES = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Lines `first` … `last` of a document, from 0; `whole`: nothing was selected."""

    first: int
    last: int
    whole: bool


def document_of(server: LanguageServer, params: JsonObject) -> Document | None:
    """The open document that is meant; None where none is. Raises BadRequest."""
    if params.get("textDocument") is None:
        return None
    uri = read_uri(params)
    document = server.documents.get(uri)
    if document is None:
        raise BadRequest("This document is not open.", remedy="Open it in the editor.")
    if document.unusable is not None:
        raise BadRequest(f"Not possible here: {document.unusable}.", remedy="")
    code_tasks.refuse_secret_file(server.folders.path_of(uri))
    return document


def needed(document: Document | None) -> Document:
    if document is None:
        raise InvalidParams("textDocument is missing.")
    return document


def source_of(server: LanguageServer, document: Document) -> Source:
    text = document.text.replace("\r\n", "\n").replace("\r", "\n")
    return Source(
        path=server.folders.path_of(document.uri),
        language=document.language[:64],
        lines=text.split("\n"),
    )


def selection_of(document: Document, params: JsonObject) -> Selection:
    """The selected lines; a selection that ends at a line's start does not take that line."""
    last_line = len(document.lines) - 1
    if params.get("range") is None:
        return Selection(first=0, last=last_line, whole=True)
    found = read_range(params)
    first, last = min(found.start.line, last_line), min(found.end.line, last_line)
    empty = found.start == found.end
    if not empty and found.end.character == 0 and last > first:
        last -= 1
    return Selection(first=min(first, last), last=last, whole=empty)


def turns_of(params: JsonObject) -> tuple[ChatMessage, ...]:
    """`messages`, the last of them the user's. Raises InvalidParams."""
    if params.get("messages") is None:
        return ()
    turns = []
    for message in read_list(params, "messages")[-MAX_MESSAGES:]:
        if not isinstance(message, dict) or message.get("role") not in tuple(Role):
            raise InvalidParams("A message has a role (system, user, assistant) and a content.")
        turns.append(ChatMessage(role=Role(message["role"]), text=read_string(message, "content")))
    if turns and turns[-1].role is not Role.USER:
        raise InvalidParams("The last message is the user's.")
    return tuple(turns)


def diagnostic_of(params: JsonObject) -> str:
    found = params.get("diagnostic")
    message = found.get("message") if isinstance(found, dict) else None
    return message if isinstance(message, str) else ""


def model_of(server: LanguageServer, params: JsonObject) -> str | None:
    named = params.get("model")
    return named if isinstance(named, str) and named else server.settings.model or None


def count_of(params: JsonObject) -> int:
    count = params.get("candidates", 1)
    if not isinstance(count, int) or isinstance(count, bool):
        raise InvalidParams("candidates is no integer.")
    return max(1, min(count, code_tasks.MAX_CANDIDATES))
