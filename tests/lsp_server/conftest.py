"""Fixtures: private folders, the stub daemon, an editor in the test's own process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from glm_protocol.folders import Folders
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Folders]:
    """Private folders with a short name (a socket's path has little room), also by environment."""
    root = Path(tempfile.mkdtemp(prefix="glm-"))
    found = Folders(home=root / "home", runtime=root / "run")
    monkeypatch.setenv("GLM_LSP_HOME", str(found.home))
    monkeypatch.setenv("GLM_LSP_RUNTIME", str(found.runtime))
    yield found
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
async def daemon(folders: Folders) -> AsyncIterator[StubDaemon]:
    async with StubDaemon(folders) as stub:
        yield stub


@pytest.fixture
async def editor(daemon: StubDaemon) -> AsyncIterator[InProcessEditor]:
    """Initialized, with ghost text, before the stub daemon; checks I2 at its end."""
    made = InProcessEditor()
    await made.initialize()
    yield made
    await made.server.close()
    made.check()
