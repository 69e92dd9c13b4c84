"""Private folders and a stub daemon, for the tests of everything that speaks to a daemon."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from glm_protocol.folders import Folders
from tests.client.stub_daemon import StubDaemon


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
