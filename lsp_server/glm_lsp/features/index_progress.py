"""`$/progress` while a workspace's index is built, for editors that announce it.

Only where it takes a while: a renewal of moments shows nothing.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from glm_lsp.rpc_errors import LspError
from glm_lsp.session import Session

LEAST_FILES = 300  # builds of fewer changed files are over before they could be read about


class IndexProgress:
    """At most one bar for each folder."""

    def __init__(self, session: Session) -> None:
        self.announced = False  # set at `initialize`
        self._session = session
        self._numbers = itertools.count(1)
        self._tokens: dict[Path, str] = {}
        self._begun: set[str] = set()

    def follow(self, root: Path, progress: dict[str, Any]) -> None:
        """Begin, change or end the bar of a folder."""
        if not self.announced:
            return
        token = self._tokens.get(root)
        done, files = progress.get("done"), progress.get("files")
        over = bool(progress.get("finished") or "error" in progress)
        if token is None:
            if over or not isinstance(files, int) or files < LEAST_FILES:
                return
            token = self._tokens[root] = f"glm-index-{next(self._numbers)}"
            self._session.in_background(self._begin(token, root.name), "progress")
        elif over:
            if token in self._begun:
                self._report(token, {"kind": "end"})
            self._begun.discard(token)
            del self._tokens[root]
        elif token in self._begun and isinstance(done, int) and isinstance(files, int) and files:
            percentage = min(100, 100 * done // files)
            self._report(
                token,
                {"kind": "report", "message": f"{done} of {files}", "percentage": percentage},
            )

    async def _begin(self, token: str, name: str) -> None:
        try:
            await self._session.ask("window/workDoneProgress/create", {"token": token})
        except LspError:
            return
        if token in self._tokens.values():
            self._begun.add(token)
            title = f"glm-lsp: reading {name}"
            self._report(token, {"kind": "begin", "title": title, "percentage": 0})

    def _report(self, token: str, value: dict[str, Any]) -> None:
        self._session.notify("$/progress", {"token": token, "value": value})
