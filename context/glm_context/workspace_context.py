"""`WorkspaceContext`: everything of this package about one workspace, in the caller's process.

    with WorkspaceContext(root) as workspace:
        workspace.build()                                   # once; a second time takes moments
        gathered = workspace.gather(CursorSite(path="a/b.py", language="python", text=…, offset=…))
        gathered.snippets                                   # tuple[Snippet, …] for a CodeContext

Blocking; for commands, evaluation and the context worker. A language server uses `ContextWorker`.
Whatever is not there (no index yet, no git, no parser) is left out: `gather` does not raise.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from glm_context import index_build, questions
from glm_context.gathered import CursorSite, Gathered, RecentPlace
from glm_context.gathering import gather
from glm_context.git_changes import ChangedLines, changed_lines
from glm_context.identifiers import TermMaker
from glm_context.index_build import BuildProgress, Report
from glm_context.index_folder import IndexFolder, index_folder
from glm_context.index_store import IndexStore
from glm_context.syntax import Syntax
from glm_context.syntax_facts import CursorFacts
from glm_context.workspace_files import WorkspaceFiles
from glm_protocol.folders import user_folders

REOPEN_S = 2.0  # how often a missing or growing index is looked at again
CHANGES_S = 20.0  # how long the answer of git is good


class WorkspaceContext:
    """One root folder with its index, parse process and git changes."""

    def __init__(
        self, root: Path, *, home: Path | None = None, excludes: Sequence[str] = ()
    ) -> None:
        self.root = root.absolute()
        self.folder: IndexFolder = index_folder(home or user_folders().home, self.root)
        self.syntax = Syntax()
        self._excludes = tuple(excludes)
        self.files = WorkspaceFiles(self.root, self._excludes)
        self._store: IndexStore | None = None
        self._frequent: dict[str, int] = {}
        self._looked = float("-inf")
        self._terms = TermMaker()
        self._changes: list[ChangedLines] = []
        self._changes_asked = float("-inf")
        self._asking: threading.Thread | None = None

    def build(self, report: Report = lambda _: None) -> BuildProgress | None:
        """Bring the index up to date, here and now. None where another process is at it."""
        self._close_store()
        return index_build.build(self.root, self.folder, excludes=self._excludes, report=report)

    def update(self, paths: Sequence[str]) -> bool:
        """Look again at some files. False where another process is building."""
        done = index_build.update(self.root, self.folder, paths, excludes=self._excludes)
        self._looked = float("-inf")
        return done

    @property
    def index(self) -> IndexStore | None:
        """The index, where there is one by now."""
        now = time.monotonic()
        if now - self._looked > REOPEN_S:
            self._looked = now
            try:
                if self._store is None:
                    self._store = IndexStore(self.folder.file, write=False)
                if not self._frequent:
                    self._frequent = self._store.frequent()
            except (sqlite3.Error, OSError):
                self._close_store()
        return self._store

    def gather(
        self,
        site: CursorSite,
        *,
        recent: Sequence[RecentPlace] = (),
        facts: CursorFacts | None = None,
        document: str = "",
    ) -> Gathered:
        """The snippets for a cursor. `document` names a buffer that will be asked about again."""
        if facts is None:
            asked = questions.cursor(site.text, site.language, site.offset, document)
            facts = self.syntax.ask(asked)
        changes = self._changes
        try:
            return gather(
                site, facts, self.index, self._frequent, self._terms, recent=recent, changes=changes
            )
        except (sqlite3.Error, OSError, ValueError):
            self._close_store()  # torn or replaced: without it this time
            return gather(site, facts, None, {}, self._terms, recent=recent, changes=changes)

    def refresh_changes(self, *, wait: bool = False) -> None:
        """Ask git again, in a thread unless `wait`, where its last answer has grown old."""
        if self._asking is not None and self._asking.is_alive():
            return
        if time.monotonic() - self._changes_asked < CHANGES_S:
            return
        self._changes_asked = time.monotonic()
        if wait:
            self._ask_git()
            return
        self._asking = threading.Thread(target=self._ask_git, name="git", daemon=True)
        self._asking.start()

    def _ask_git(self) -> None:
        self._changes = changed_lines(self.root, self.files)

    def close(self) -> None:
        """End the parse process and close the index."""
        self.syntax.close()
        self._close_store()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _close_store(self) -> None:
        store, self._store = self._store, None
        self._frequent = {}
        self._looked = float("-inf")
        if store is not None:
            store.close()
