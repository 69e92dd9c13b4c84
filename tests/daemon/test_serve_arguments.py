"""What `glm-lsp serve` refuses before it serves: wrong arguments, unsafe TCP."""

from __future__ import annotations

from pathlib import Path

import pytest

from glm_daemon.main import EXIT_CONFIG, run
from glm_daemon.serve_options import TcpAddress

TOKEN = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLM_LSP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GLM_LSP_RUNTIME", str(tmp_path / "run"))
    monkeypatch.delenv("GLM_LSP_TOKEN", raising=False)


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80, True),
        ("[::1]:0", "::1", 0, True),
        ("localhost:1", "localhost", 1, True),
        ("0.0.0.0:1", "0.0.0.0", 1, False),
        ("[::]:1", "::", 1, False),
        ("192.168.1.2:1", "192.168.1.2", 1, False),
        ("127.0.0.1.nip.io:1", "127.0.0.1.nip.io", 1, False),
    ],
)
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:
    address = TcpAddress.parse(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)


@pytest.mark.parametrize("text", ["80", "localhost", ":80", "a:b", "a:-1", "a:65536", ""])
def test_bad_addresses(text: str) -> None:
    with pytest.raises(ValueError):
        TcpAddress.parse(text)


@pytest.mark.parametrize(
    "argv",
    [
        ["--tcp", "nonsense"],
        ["--queue", "0"],
        ["--idle-exit", "-1"],
        ["--idle-exit", "nan"],
        ["--dtype", "int3"],
        ["extra"],
    ],
)
def test_wrong_arguments_exit_with_2(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(argv)
    assert caught.value.code == 2


def refusal(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run(argv) == EXIT_CONFIG
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


def test_tcp_without_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    assert "needs a token" in refusal(["--tcp", "127.0.0.1:0"], capsys)


def test_a_short_token(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLM_LSP_TOKEN", "short")
    assert "at least 16" in refusal(["--tcp", "127.0.0.1:0"], capsys)


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "example.org"])
def test_reachable_from_elsewhere_needs_a_word(
    host: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLM_LSP_TOKEN", TOKEN)
    assert "TLS proxy in front" in refusal(["--tcp", f"{host}:0"], capsys)


def test_a_token_file_that_others_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    said = refusal(["--tcp", "127.0.0.1:0", "--token-file", str(file)], capsys)
    assert "chmod 600" in said
    assert TOKEN not in said
    missing = ["--tcp", "127.0.0.1:0", "--token-file", str(tmp_path / "missing")]
    assert "cannot be read" in refusal(missing, capsys)


def test_a_runtime_folder_that_others_can_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    assert "chmod 700" in refusal(["--model", "fake"], capsys)


def test_no_home(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "GLM_LSP_HOME", "GLM_LSP_RUNTIME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert "HOME is not set" in refusal([], capsys)
