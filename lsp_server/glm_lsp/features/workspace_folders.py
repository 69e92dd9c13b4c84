"""`workspace/didChangeWorkspaceFolders`: the open folders, which shorten paths and have indexes.

Nothing is read from a folder here.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from glm_lsp.json_body import JsonObject
from glm_lsp.params import read_list, read_object
from glm_lsp.position_codec import without_surrogates

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

MAX_PATH = 4096
MAX_FOLDERS = 1000


class WorkspaceFolders:
    """Paths of the open folders."""

    def __init__(self) -> None:
        self._folders: set[PurePosixPath] = set()

    def begin(self, params: JsonObject) -> None:
        """From the parameters of `initialize`, old ways included."""
        folders = params.get("workspaceFolders")
        if isinstance(folders, list):
            self.change(folders, [])
        elif isinstance(params.get("rootUri"), str):
            self.change([{"uri": params["rootUri"]}], [])

    def change(self, added: list[Any], removed: list[Any]) -> None:
        """Entries that are no folders are passed over."""
        self._folders |= set(folder_paths(added[:MAX_FOLDERS]))
        self._folders -= set(folder_paths(removed))

    def path_of(self, uri: str) -> str:
        """A document's path relative to its innermost folder; its file name outside of all."""
        path, root = path_in(uri), self.root_of(uri)
        shown = path.name if root is None else str(path.relative_to(root))
        return without_surrogates(shown)[-MAX_PATH:]

    def roots(self) -> list[PurePosixPath]:
        """Every open folder."""
        return sorted(self._folders)

    def root_of(self, uri: str) -> PurePosixPath | None:
        """The innermost open folder that a document on disk is in."""
        path = path_in(uri)
        inner = [folder for folder in self._folders if path.is_relative_to(folder)]
        return max(inner, key=lambda folder: len(folder.parts)) if inner else None


def path_in(uri: str) -> PurePosixPath:
    """The path part of a URI (`untitled:` and the like have one too)."""
    try:
        return PurePosixPath(unquote(urlsplit(uri).path, errors="replace"))
    except ValueError:
        return PurePosixPath(uri)


def folder_paths(entries: list[Any]) -> list[PurePosixPath]:
    uris = [entry.get("uri") for entry in entries if isinstance(entry, dict)]
    return [path_in(uri) for uri in uris if isinstance(uri, str)]


def did_change_workspace_folders(server: LanguageServer, params: JsonObject) -> None:
    """Folders were opened or closed."""
    event = read_object(params, "event")
    server.folders.change(read_list(event, "added"), read_list(event, "removed"))
