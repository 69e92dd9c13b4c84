"""`textDocument/didSave` and `workspace/didChangeWatchedFiles`: the index follows the disk.

Only names are taken from the editor; what is read, and whether, the context worker decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm_lsp.json_body import JsonObject
from glm_lsp.params import read_list, read_uri

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

MAX_CHANGES = 5000
WATCHED = "**/*"


def did_save(server: LanguageServer, params: JsonObject) -> None:
    """A buffer was written to disk."""
    uri = read_uri(params)
    server.knowledge.saved(uri)
    server.feeding.changed([uri])


def did_change_watched_files(server: LanguageServer, params: JsonObject) -> None:
    """Files were made, changed or deleted, by whomever."""
    changes = read_list(params, "changes")[:MAX_CHANGES]
    uris = [change.get("uri") for change in changes if isinstance(change, dict)]
    changed = [uri for uri in uris if isinstance(uri, str)]
    server.knowledge.changed(changed)
    server.feeding.changed(changed)
