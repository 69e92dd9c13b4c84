"""Of 200 planted secrets none leaves the language server: prompts, memory, logs, caches."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path

import pytest

from glm_client.memory_feed import batches
from glm_lsp.memory_feeding import texts_of
from glm_protocol.folders import user_folders
from glm_protocol.languages import language_id
from tests.client.stub_daemon import StubDaemon
from tests.context.planted_secrets import PLACES, Plot, leaked
from tests.lsp_server.in_process import InProcessEditor

CALL = "\nshared_helper_function("


@pytest.fixture(scope="module")
def plot(tmp_path_factory: pytest.TempPathFactory) -> Plot:
    return Plot(tmp_path_factory.mktemp("plot"))


async def until_known(editor: InProcessEditor, uri: str, line: int) -> None:
    """Ask until the index answers."""
    async with asyncio.timeout(30):
        while True:
            await editor.ghost(line, len(CALL) - 1, uri=uri)
            last = editor.server.knowledge.last.get(uri)
            if last is not None and any(one.path.startswith("m") for one in last.snippets):
                return
            editor.server.completer.forget(uri)
            await asyncio.sleep(0.05)


async def test_of_200_planted_secrets_none_leaves(
    daemon: StubDaemon, plot: Plot, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(plot.secrets) >= 200
    caplog.set_level(logging.DEBUG)
    editor = InProcessEditor()
    await editor.initialize(workspaceFolders=[{"uri": plot.root.as_uri(), "name": "plot"}])
    try:
        for file, _, _ in PLACES:  # each of them a buffer, and a recent place for the next
            uri = (plot.root / "m1" / file).as_uri()
            text = (plot.root / "m1" / file).read_text() + CALL
            editor.open(text, uri=uri, language=language_id(file))
            await until_known(editor, uri, text.count("\n"))
            explained = await editor.ask("glm/explainLast", {"textDocument": {"uri": uri}})
            assert explained["found"]
    finally:
        await editor.server.close()
    prompts = json.dumps(daemon.requests)
    assert prompts.count("shared_helper_function") > len(PLACES)  # it looks at the right place
    assert "<withheld>" in prompts
    remembered = "".join(one.text for group in batches(texts_of(plot.root)) for one in group)
    assert "shared_helper_function" in remembered
    assert leaked(prompts, plot) == []
    assert leaked(remembered, plot) == []
    assert leaked(json.dumps(editor.sent), plot) == []
    assert leaked(caplog.text, plot) == []
    folders = user_folders()
    kept = [file for top in (folders.home, folders.runtime) for file in files_below(top)]
    assert any(file.name == "index.sqlite" for file in kept)
    assert leaked("".join(file.read_bytes().decode("latin-1") for file in kept), plot) == []


def files_below(top: Path) -> list[Path]:
    found = [Path(folder) / name for folder, _, names in os.walk(top) for name in names]
    return [file for file in found if file.is_file()]
