"""Where things live on disk, computed from the environment alone; nothing is created here.

`GLM_LSP_HOME` (models, adapters, index, jobs, kv) and `GLM_LSP_RUNTIME` (socket, lock, log) move
the two folders, so that tests never meet a user's daemon. Invariant: no fallback to a folder
that other users can write, such as /tmp.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_SOCKET_PATH = 100  # bytes; sun_path holds 104 (macOS) or 108 (Linux)


@dataclass(frozen=True, kw_only=True, slots=True)
class Folders:
    """`home` keeps what lasts; `runtime` (0700) holds what one running daemon needs."""

    home: Path
    runtime: Path

    @property
    def socket(self) -> Path:
        return self.runtime / "daemon.sock"

    @property
    def lock(self) -> Path:
        return self.runtime / "daemon.lock"

    @property
    def log(self) -> Path:
        return self.runtime / "daemon.log"

    @property
    def saved_prefixes(self) -> Path:
        """Keys and values of prompts, for the first one after a restart."""
        return self.home / "kv"

    @property
    def registry(self) -> Path:
        return self.home / "models.json"


def user_folders(environ: Mapping[str, str] | None = None) -> Folders:
    """Folders of the current user. Raises ValueError when no home folder can be told."""
    env = os.environ if environ is None else environ
    user_home = env.get("HOME", "")
    if not user_home and ("GLM_LSP_HOME" not in env or "GLM_LSP_RUNTIME" not in env):
        raise ValueError("HOME is not set. Set it, or GLM_LSP_HOME and GLM_LSP_RUNTIME.")
    if "GLM_LSP_HOME" in env:
        home = Path(env["GLM_LSP_HOME"])
    elif sys.platform == "darwin":
        home = Path(user_home) / "Library" / "Application Support" / "glm-lsp"
    else:
        home = Path(env.get("XDG_DATA_HOME") or Path(user_home) / ".local" / "share") / "glm-lsp"
    if "GLM_LSP_RUNTIME" in env:
        runtime = Path(env["GLM_LSP_RUNTIME"])
    elif env.get("XDG_RUNTIME_DIR"):
        runtime = Path(env["XDG_RUNTIME_DIR"]) / "glm-lsp"
    else:
        runtime = home / "run"
    return Folders(home=home.absolute(), runtime=runtime.absolute())
