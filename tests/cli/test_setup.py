"""`setup` prints lines for each editor and never touches a file that exists."""

from pathlib import Path

import pytest

from glm_lsp.cli.setup import EDITORS, run
from glm_protocol.errors import BadRequest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.mark.parametrize("editor", sorted(EDITORS))
def test_the_lines_name_this_installation(
    editor: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([editor]) == 0
    assert "glm-lsp" in capsys.readouterr().out
    assert not list(home.iterdir())


def test_write_creates_a_file_once(home: Path) -> None:
    assert run(["nvim", "--write"]) == 0
    file = home / "config" / "nvim" / "plugin" / "glm_lsp.lua"
    first = file.read_text()
    assert "inline_completion" in first
    with pytest.raises(BadRequest, match="left as it is"):
        run(["nvim", "--write"])
    assert file.read_text() == first


def test_a_users_own_settings_are_never_written(home: Path) -> None:
    with pytest.raises(BadRequest, match="by hand"):
        run(["vscode", "--write"])
    assert not list(home.iterdir())
