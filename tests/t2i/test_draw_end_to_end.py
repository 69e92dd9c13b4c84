"""`glm-lsp draw` through a running daemon whose model is the fake one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from PIL import Image

from glm_t2i import draw_command
from tests.support.local_daemon import local_daemon


@pytest.mark.e2e
async def test_from_words_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.png"
    async with local_daemon() as here:
        monkeypatch.setenv("GLM_LSP_HOME", str(here.folders.home))
        monkeypatch.setenv("GLM_LSP_RUNTIME", str(here.folders.runtime))
        argv = ["a red circle", "-o", str(file), "--size", "33x17", "--seed", "3", "--json"]
        assert await asyncio.to_thread(draw_command.run, argv) == 0
    wire = json.loads(capsys.readouterr().out)
    assert wire["files"] == [str(file)]
    assert wire["model"] == "fake"
    assert wire["seed"] == 3
    with Image.open(file) as picture:
        assert picture.size == (33, 17)
    assert [path.name for path in tmp_path.glob("*.p*")] == ["a.png"]
