"""`glm-lsp stop --forget` deletes what was saved of prompts, with a daemon or without."""

from __future__ import annotations

from pathlib import Path

import pytest

from glm_lsp.cli import stop
from glm_protocol.folders import user_folders


def test_forget_deletes_keys_and_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GLM_LSP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GLM_LSP_RUNTIME", str(tmp_path / "run"))
    folder = user_folders().saved_prefixes
    folder.mkdir(parents=True)
    (folder / "a.kv").write_bytes(b"x")
    (tmp_path / "home" / "models.json").write_text("{}")
    assert stop.run([]) == 0
    assert folder.is_dir(), "only when it is asked for"
    assert stop.run(["--forget"]) == 0
    assert not folder.exists()
    assert (tmp_path / "home" / "models.json").exists()
    assert "forgot 1 files" in capsys.readouterr().out
    assert stop.run(["--forget"]) == 0, "nothing there is no fault"
