"""A second client, not ours (pytest-lsp on pygls), and the protocol's own types as the judge."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import converters
from lsprotocol import types as lsp

from glm_lsp.client_profile import ClientProfile
from glm_lsp.features import progress
from glm_lsp.features.initialize import capabilities
from glm_protocol.settings import Fallback
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor
from tests.support.raw_lsp_client import at

URI = "file:///a.py"
"""What is structured and written back must be what was sent: no field is unknown or misspelt."""


def lossless(wire: Any, kind: Any) -> None:
    converter = converters.get_converter()
    again = converter.unstructure(converter.structure(wire, kind), unstructure_as=kind)
    assert again == wire


@pytest.mark.parametrize("fallback", list(Fallback))
def test_capabilities(fallback: Fallback) -> None:
    lossless(capabilities(ClientProfile(), fallback), lsp.ServerCapabilities)


async def test_every_message_is_one_of_the_protocol(
    daemon: StubDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SHOWN_AFTER_S", 0.0)
    daemon.text = "a(\n  b)"
    daemon.ready = {"ready": False, "state": "starting"}
    editor = InProcessEditor({"completion": {"fallback": "on"}, "typo": 1})
    await editor.initialize()
    editor.open("foo(")
    await editor.state("loading")
    inline = await editor.ask("textDocument/inlineCompletion", at(URI, 0, 4))
    lossless(inline, lsp.InlineCompletionList)
    menu = await editor.ask("textDocument/completion", at(URI, 0, 4, 1))
    assert menu["items"]
    lossless(menu, lsp.CompletionList)
    daemon.ready = {"ready": True}
    await editor.state("ready")
    kinds = {
        "client/registerCapability": lsp.RegistrationRequest,
        "workspace/configuration": lsp.ConfigurationRequest,
        "window/workDoneProgress/create": lsp.WorkDoneProgressCreateRequest,
        "window/showMessage": lsp.ShowMessageNotification,
        "$/progress": lsp.ProgressNotification,
    }
    seen = set()
    for message in editor.sent:
        method = message.get("method")
        if method in kinds:
            seen.add(method)
            lossless(message, kinds[method])
    assert seen == set(kinds)
    await editor.server.close()
