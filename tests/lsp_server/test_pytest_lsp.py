"""A session of pytest-lsp's typed client with the real server and the fake model (e2e)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_lsp
from lsprotocol import types as lsp
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

from tests.support.daemon_process import fresh_folders
from tests.support.raw_lsp_client import SERVER

pytestmark = pytest.mark.e2e

FOLDERS = fresh_folders()
ENVIRONMENT = {
    **os.environ,
    "GLM_LSP_HOME": str(FOLDERS.home),
    "GLM_LSP_RUNTIME": str(FOLDERS.runtime),
}
URI = "file:///a.py"


@pytest_lsp.fixture(  # type: ignore[untyped-decorator]
    config=ClientServerConfig(server_command=list(SERVER), server_env=ENVIRONMENT)
)
async def client(lsp_client: LanguageClient) -> AsyncIterator[None]:
    lsp_client.set_configuration({"glm": {"model": "fake", "daemon": {"idleExitSeconds": 5}}})
    lsp_client.feature("client/registerCapability")(lambda params: None)
    lsp_client.feature("glm/status")(lambda params: None)
    found = client_capabilities("visual-studio-code")
    await lsp_client.initialize_session(lsp.InitializeParams(capabilities=found))
    yield
    await lsp_client.shutdown_session()
    transport = httpx.HTTPTransport(uds=str(FOLDERS.socket))
    with contextlib.suppress(httpx.TransportError), httpx.Client(transport=transport) as http:
        http.post("http://glm-lsp/glm/v1/shutdown")
    shutil.rmtree(FOLDERS.runtime.parent, ignore_errors=True)


async def test_ghost_text_menu_and_commands(client: LanguageClient) -> None:
    text = lsp.TextDocumentItem(URI, "python", 1, "def f(a, b):\n    return ")
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(text))
    params = lsp.InlineCompletionParams(
        context=lsp.InlineCompletionContext(trigger_kind=lsp.InlineCompletionTriggerKind.Automatic),
        text_document=lsp.TextDocumentIdentifier(URI),
        position=lsp.Position(1, 11),
    )
    answer: lsp.InlineCompletionList | None = None
    for _ in range(60):
        found = await client.text_document_inline_completion_async(params)
        assert isinstance(found, lsp.InlineCompletionList)
        answer = found
        if answer.items:
            break
        await asyncio.sleep(0.2)
    assert answer is not None
    (item,) = answer.items
    assert isinstance(item.insert_text, str)
    assert item.insert_text.startswith("fake_value_")
    assert item.command is not None
    run = lsp.ExecuteCommandParams(item.command.command, item.command.arguments)
    await client.workspace_execute_command_async(run)
    status = await client.workspace_execute_command_async(
        lsp.ExecuteCommandParams("glm.server.status")
    )
    assert isinstance(status, dict)
    assert status["accepted"] == 1
