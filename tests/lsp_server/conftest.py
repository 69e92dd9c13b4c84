"""Fixtures: private folders, the stub daemon, an editor in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from glm_lsp.features import text_sync
from tests.client.fixtures import daemon, folders
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor

__all__ = ["daemon", "folders"]


@pytest.fixture
async def editor(daemon: StubDaemon) -> AsyncIterator[InProcessEditor]:
    """Initialized, with ghost text, before the stub daemon; checks I2 at its end."""
    made = InProcessEditor()
    await made.initialize()
    yield made
    await made.server.close()
    made.check()


@pytest.fixture(autouse=True)
def _nothing_is_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are counted in many tests; the one of reading ahead asks for it."""
    monkeypatch.setattr(text_sync, "SETTLED_S", 600.0)
