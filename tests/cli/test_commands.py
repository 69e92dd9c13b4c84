"""The commands against a real daemon with the fake model: their words, exit codes, faults."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon_process import DaemonProcess, daemon_environment, running_daemon

pytestmark = pytest.mark.e2e
GLM_LSP = str(Path(sys.executable).with_name("glm-lsp"))


@pytest.fixture(scope="module")
def daemon() -> Iterator[DaemonProcess]:
    with running_daemon() as running:
        yield running


def glm_lsp(daemon: DaemonProcess, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environ = daemon_environment(daemon.folders)
    return subprocess.run(
        [GLM_LSP, *args], env=environ, cwd=cwd, capture_output=True, text=True, timeout=60
    )


def test_complete_prints_the_contracts_object(daemon: DaemonProcess, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("# 😀\nx = foo(\n", encoding="utf-8")
    done = glm_lsp(
        daemon, "complete", "a.py", "--line", "2", "--column", "9", "--json", cwd=tmp_path
    )
    answer = json.loads(done.stdout)
    assert set(answer) == {"text", "model", "adapter", "finish", "timings_ms", "tokens", "report"}
    assert answer["text"].startswith("fake_argument_")
    assert answer["model"] == "fake"
    assert answer["adapter"] is None
    assert answer["finish"] == "stop"
    assert answer["timings_ms"]["total"] > 0
    assert set(answer["tokens"]) == {"prompt", "reused", "generated"}


def test_the_column_counts_code_points(daemon: DaemonProcess, tmp_path: Path) -> None:
    text = "s = '😀'; return \n"
    (tmp_path / "a.py").write_text(text, encoding="utf-8")
    column = str(text.index("\n") + 1)
    done = glm_lsp(daemon, "complete", "a.py", "--line", "1", "--column", column, cwd=tmp_path)
    assert done.stdout.startswith("fake_value_")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["absent.py", "--line", "1", "--column", "1"], "cannot be read"),
        (["a.py", "--line", "9", "--column", "1"], "Line 9"),
        (["a.py", "--line", "1", "--column", "99"], "Column 99"),
        (["a.py", "--line", "1", "--column", "1", "--model", "nobody"], "nobody"),
        (["a.py", "--line", "1", "--column", "1", "--max-tokens", "0"], "max_tokens"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_1(
    daemon: DaemonProcess, tmp_path: Path, args: list[str], words: str
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    done = glm_lsp(daemon, "complete", *args, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_file_is_completed(daemon: DaemonProcess, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    done = glm_lsp(daemon, "complete", "a.py", "--line", "1", "--column", "1", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("fake_completion_")


def test_status_reports_the_engine(daemon: DaemonProcess, tmp_path: Path) -> None:
    report = json.loads(glm_lsp(daemon, "status", "--json", cwd=tmp_path).stdout)
    assert report["pid"] == daemon.pid
    assert report["engines"][0]["state"] == "ready"
    text = glm_lsp(daemon, "status", cwd=tmp_path).stdout
    assert f"pid {daemon.pid}" in text
    assert "fake: ready" in text


def test_doctor_finds_nothing_wrong(daemon: DaemonProcess, tmp_path: Path) -> None:
    done = glm_lsp(daemon, "doctor", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert [one["subject"] for one in found] == [
        *("python", "packages", "context", "daemon", "model", "completion"),
    ]
    assert not [one for one in found if one["state"] == "fault"]
    assert done.returncode == 0


def test_stop_ends_the_daemon_and_says_so_twice(tmp_path: Path) -> None:
    with running_daemon() as daemon:
        done = glm_lsp(daemon, "stop", cwd=tmp_path)
        assert f"pid {daemon.pid}" in done.stdout
        assert daemon.wait() == 0
        again = glm_lsp(daemon, "stop", cwd=tmp_path)
        assert again.returncode == 0
        assert "No daemon" in again.stdout
        assert glm_lsp(daemon, "status", cwd=tmp_path).returncode == 3


def models(tmp_path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "GLM_LSP_HOME": str(tmp_path), "GLM_LSP_RUNTIME": str(tmp_path / "r")}
    return subprocess.run(
        [GLM_LSP, "models", *args], env=environ, capture_output=True, text=True, timeout=60
    )


def test_models_are_added_chosen_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama", "architectures": ["X"]}')
    (folder / "model.safetensors").write_bytes(b"\0" * 16)
    done = models(tmp_path, "add", "mine", str(folder))
    assert done.returncode == 0
    assert "of memory are free" in done.stdout
    assert models(tmp_path, "default", "mine").returncode == 0
    rows = json.loads(models(tmp_path, "--json", "list").stdout)
    assert {"name": "mine", "source": str(folder), "family": "code", "default": True} in rows
    facts = json.loads(models(tmp_path, "info", "mine", "--json").stdout)
    assert facts["model_type"] == "llama"
    assert models(tmp_path, "remove", "mine").returncode == 0
    assert "mine" not in models(tmp_path).stdout
    assert folder.exists()


def test_pickled_weights_are_refused_with_the_way_out(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"x")
    done = models(tmp_path, "add", "old", str(folder))
    assert done.returncode == 1
    assert "glm-lsp models convert" in done.stderr
    assert models(tmp_path, "info", "old").returncode == 1
