"""The task `change` of `glm/chat`: an edit of several files, of those that the model saw whole.

Shown are the open document and the files that the question is about, as they are in the editor.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glm_lsp import code_tasks
from glm_lsp.code_tasks import Source, Wish
from glm_lsp.documents import Document
from glm_lsp.features.chat_params import model_of, turns_of
from glm_lsp.features.long_work import Delivery
from glm_lsp.insert_text import clean
from glm_lsp.json_body import JsonObject
from glm_lsp.rpc_errors import InvalidParams
from glm_lsp.whole_files import FileChange, as_material, changes_of, shown_whole
from glm_protocol.errors import BadRequest

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

MOST_TOKENS = 8192  # of an answer that repeats whole files
START = {"line": 0, "character": 0}


async def change_files(
    server: LanguageServer, delivery: Delivery, document: Document | None, params: JsonObject
) -> JsonObject:
    """Ask for the files as they shall be. Raises GlmError, InvalidParams."""
    turns = turns_of(params)
    question = turns[-1].text if turns else ""
    if not question.strip():
        raise InvalidParams("messages is missing: say what shall change.")
    root = _root(server, document)
    related = await server.knowledge.about(question, None if document is None else document.uri)
    own = [] if document is None else [server.folders.path_of(document.uri)]
    room = code_tasks.MAX_MATERIAL - len(question) - 64
    shown = await asyncio.to_thread(
        shown_whole, root, [*own, *(snippet.path for snippet in related)], room=room
    )
    buffers = {path: server.documents.get((root / path).as_uri()) for path in shown}
    versions = {path: buffer.version for path, buffer in buffers.items() if buffer is not None}
    for path, buffer in buffers.items():
        if buffer is not None and buffer.unusable is None:
            shown[path] = buffer.text
    material = code_tasks.question_with(as_material(shown), question)
    request = code_tasks.talk_request(
        "change",
        Source(path="", language=""),
        material,
        Wish(model=model_of(server, params), max_tokens=MOST_TOKENS),
    )
    outcome = await delivery.run(request, texts=True)
    text = clean(outcome.text, material)
    changes = await asyncio.to_thread(changes_of, text, root, shown)
    for path, version in versions.items():
        now = server.documents.get((root / path).as_uri())
        if now is not None and now.version != version:
            raise BadRequest(f"{path} has changed meanwhile.", remedy="Ask again.")
    answer: JsonObject = {
        "text": text, "model": outcome.end.model, "finish": outcome.end.finish.value,
        "edit": {"documentChanges": [e for c in changes for e in _edits(root, c, versions)]},
    }  # fmt: skip
    return answer


def _root(server: LanguageServer, document: Document | None) -> Path:
    roots = server.folders.roots()
    own = None if document is None else server.folders.root_of(document.uri)
    if own is None and not roots:
        raise BadRequest("No folder is open whose files could change.", remedy="Open a folder.")
    return Path(own if own is not None else roots[0])


def _edits(root: Path, change: FileChange, versions: dict[str, int | None]) -> list[JsonObject]:
    """A new file is made, never over another; an old one is replaced from end to end."""
    uri = (root / change.path).as_uri()
    made: list[JsonObject] = []
    end: JsonObject = START
    if change.old is None:
        made = [{"kind": "create", "uri": uri, "options": {"overwrite": False}}]
    else:
        lines = change.old.count("\n") + change.old.replace("\r\n", "").count("\r")
        end = {"line": lines + 1, "character": 0}
    edits: list[Any] = [{"range": {"start": START, "end": end}, "newText": change.new}]
    named = {"uri": uri, "version": versions.get(change.path)}
    return [*made, {"textDocument": named, "edits": edits}]
