"""Where the index of a workspace lives: GLM_LSP_HOME/index/<hash of the root's real path>/."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

UNUSED_S = 60 * 24 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexFolder:
    """Paths only; made by whoever builds."""

    path: Path

    @property
    def file(self) -> Path:
        return self.path / "index.sqlite"

    @property
    def lock(self) -> Path:
        return self.path / "build.lock"

    def discard(self) -> None:
        """Delete the index itself."""
        for suffix in ("", "-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)

    def note(self, root: Path) -> None:
        """Write down whose index this is, for people and for `glm-lsp context --list`."""
        with contextlib.suppress(OSError):
            text = json.dumps({"root": os.path.realpath(root)}) + "\n"
            (self.path / "workspace.json").write_text(text, encoding="utf-8", errors="replace")


def prune(home: Path, keep: Path, *, now: float) -> int:
    """Delete the indexes of folders that are gone or were not opened for `UNUSED_S`; how many."""
    removed = 0
    for path in sorted((home / "index").glob("*/workspace.json")):
        if path.parent == keep:
            continue
        try:
            root = json.loads(path.read_text(encoding="utf-8"))["root"]
            forgotten = now - path.stat().st_mtime > UNUSED_S or not Path(root).is_dir()
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if forgotten:
            shutil.rmtree(path.parent, ignore_errors=True)
            removed += 1
    return removed


def index_folder(home: Path, root: Path) -> IndexFolder:
    """The folder for one workspace; two ways to the same folder give the same index."""
    real = os.path.realpath(root)
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:24]
    return IndexFolder(path=home / "index" / name)
