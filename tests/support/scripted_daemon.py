"""A daemon's answers without a daemon, for commands that are run in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from glm_client.daemon_client import DaemonClient
from glm_protocol.answers import Chunk, End, FinishReason


class ScriptedDaemon:
    """Answers what `texts` holds, then its last again; `report` stands in every end."""

    def __init__(self, *texts: str, report: dict[str, Any] | None = None) -> None:
        self.texts = list(texts)
        self.report = report or {}
        self.requests: list[Any] = []

    async def stream(self, request: Any) -> AsyncIterator[Chunk]:
        self.requests.append(request)
        yield Chunk(text=self.texts.pop(0) if len(self.texts) > 1 else self.texts[0])
        yield Chunk(end=End(finish=FinishReason.STOP, model="m", report=self.report))

    def put_in_place(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        """Every client of this process speaks to it; the user's folders are in `folder`."""

        async def connect(_: DaemonClient) -> None: ...

        monkeypatch.setenv("GLM_LSP_HOME", str(folder / "home"))
        monkeypatch.setenv("GLM_LSP_RUNTIME", str(folder / "run"))
        monkeypatch.setattr(DaemonClient, "connect", connect)
        monkeypatch.setattr(DaemonClient, "stream", lambda _, request: self.stream(request))
