"""What an editor would find for a cursor in other files: the workspace's own index and gathering.

The files are laid out in a folder of ours, indexed there as any workspace is, and asked about as
the language server asks; so a model is trained and judged on what it is served with. Nobody is
shown the hole: of the file at the cursor only what stands around the hole is looked at.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from glm_codegen.finetune.file_filter import SourceFile
from glm_context.gathered import CursorSite
from glm_context.grammar_table import GRAMMAR_OF
from glm_context.syntax_facts import Hole
from glm_context.workspace_context import WorkspaceContext
from glm_protocol.completion import FOR_MEMORY, Snippet


class RelatedText:
    """An index of some files, in `place` until `close`."""

    def __init__(self, files: Iterable[SourceFile], place: Path) -> None:
        """`place` is made anew, readable by its owner alone."""
        shutil.rmtree(place, ignore_errors=True)
        root = place / "files"
        root.mkdir(parents=True, mode=0o700)
        self._place = place
        for file in files:
            if not _stays_inside(file.path):
                continue
            target = root / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.text, encoding="utf-8")
        place.chmod(0o700)
        self._workspace = WorkspaceContext(root, home=place)
        self._workspace.build()
        self._cuts: dict[str, tuple[Hole, ...]] = {}

    def related(self, path: str, language: str, prefix: str, suffix: str) -> tuple[Snippet, ...]:
        """What an editor would send for a prompt, best first."""
        site = CursorSite(path=path, language=language, text=prefix + suffix, offset=len(prefix))
        found = self._workspace.gather(site).snippets
        return tuple(snippet for snippet in found if snippet.source != FOR_MEMORY)

    def cuts(self, file: SourceFile) -> tuple[Hole, ...]:
        """Where the grammar's pieces of a file begin and end; none without a grammar for it."""
        if file.language not in GRAMMAR_OF:
            return ()
        if file.path not in self._cuts:
            self._cuts[file.path] = self._workspace.syntax.holes(file.text, file.language)
        return self._cuts[file.path]

    def close(self) -> None:
        """End the parse process; delete the files and their index."""
        self._workspace.close()
        shutil.rmtree(self._place, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _stays_inside(path: str) -> bool:
    """Trees of git can name any path; one that climbs out or is git's own is not laid out."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and not {"..", ".git"} & set(parts)
