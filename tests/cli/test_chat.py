"""`glm-lsp chat` before the fake daemon: what is asked, what is printed, what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glm_lsp.cli import chat
from glm_protocol.chat import ChatRequest
from glm_protocol.completion import CompletionRequest
from glm_protocol.errors import BadRequest, Unsupported
from tests.support.scripted_daemon import ScriptedDaemon

CODE = "import os\r\n\r\n\r\ndef total(items):\r\n    return sum(items)\r\n"


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptedDaemon:
    made = ScriptedDaemon("Sum of all items.")
    made.put_in_place(monkeypatch, tmp_path)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    made = tmp_path / "work" / "a.py"
    made.write_bytes(CODE.encode())
    return made


def test_documentation_is_shown_as_a_diff_and_written_on_demand(
    daemon: ScriptedDaemon, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chat.run(["document", str(file), "--line", "5"]) == 0
    assert '+    """Sum of all items."""' in capsys.readouterr().out.split("\n")
    assert file.read_bytes() == CODE.encode()
    assert isinstance(daemon.requests[0], CompletionRequest)
    assert chat.run(["document", str(file), "--line", "5", "--write", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "text": '    """Sum of all items."""',
        "model": "m",
        "finish": "stop",
    }
    assert b'items):\r\n    """Sum of all items."""\r\n    return' in file.read_bytes()


def test_candidates_of_a_comment(
    daemon: ScriptedDaemon, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.texts = ["Sum it all.", "Add it all."]
    assert chat.run(["comment", str(file), "--line", "5", "--candidates", "2"]) == 0
    out = capsys.readouterr().out
    assert "+    # Sum it all." in out
    assert "or: # Add it all." in out


def test_a_talking_task_streams_its_answer(
    daemon: ScriptedDaemon, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.texts = ["It sums.\x1b[2J"]
    assert chat.run(["explain", str(file), "--lines", "4-5", "--question", "Briefly."]) == 0
    assert capsys.readouterr().out == "It sums.[2J\n"
    request = daemon.requests[0]
    assert isinstance(request, ChatRequest)
    assert request.messages[0].text == "def total(items):\n    return sum(items)"
    assert request.options["instruction"] == "Briefly."


def test_a_fix_replaces_the_lines(daemon: ScriptedDaemon, file: Path) -> None:
    daemon.texts = ["```python\ndef total(items):\n    return 0\n```"]
    arguments = ["fix", str(file), "--lines", "4-5", "--diagnostic", "E", "--write"]
    assert chat.run(arguments) == 0
    assert file.read_bytes().endswith(b"def total(items):\r\n    return 0\r\n")
    daemon.texts = ["No code at all."]
    with pytest.raises(BadRequest, match="no code in the answer"):
        chat.run(arguments)


def test_writing_loses_nothing(daemon: ScriptedDaemon, file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + CODE.encode())
    file.chmod(0o640)
    link = tmp_path / "link.py"
    link.symlink_to(file)
    assert chat.run(["comment", str(link), "--line", "5", "--write"]) == 0
    assert link.is_symlink()
    assert file.read_bytes().startswith(b"\xef\xbb\xbfimport os\r\n")
    assert file.stat().st_mode & 0o777 == 0o640
    latin = "x = 'é'\n".encode("latin-1")
    file.write_bytes(latin)
    with pytest.raises(BadRequest, match="not UTF-8; nothing was written"):
        chat.run(["comment", str(file), "--line", "1", "--write"])
    assert file.read_bytes() == latin
    assert [path.name for path in file.parent.iterdir()] == ["a.py"]


def test_a_question_on_a_folder_takes_its_pieces_along(daemon: ScriptedDaemon, file: Path) -> None:
    assert chat.run(["ask", str(file.parent), "--question", "What does total do?"]) == 0
    text = daemon.requests[0].messages[0].text
    assert "###PATH: a.py" in text
    assert "def total" in text
    assert text.endswith("What does total do?")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["document", "a.py"], "needs --line"),
        (["document", "a.py", "--line", "99"], "Line 99"),
        (["document", "a.py", "--line", "1"], "no definition"),
        (["explain", "a.py", "--lines", "x"], "no range"),
        (["ask", "a.py"], "needs --question"),
        (["explain", "a.py", "--candidates", "0"], "1 to 8"),
        (["explain", ".env"], "secrets"),
        (["explain", "empty.py"], "nothing to explain"),
        (["explain", "huge.py"], "at most"),
        (["review", "a.py"], "git does not tell"),
    ],
)
def test_mistakes_get_a_sentence(
    daemon: ScriptedDaemon,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(file.parent)
    Path(".env").write_text("A=1\n")
    Path("empty.py").write_text("")
    Path("huge.py").write_text("x = 1\n" * 100_000)
    with pytest.raises(BadRequest, match=words):
        chat.run(arguments)
    assert daemon.requests == []


def test_a_model_without_words_is_told_so(daemon: ScriptedDaemon, file: Path) -> None:
    daemon.texts = ["x = 1"]
    with pytest.raises(Unsupported, match="reads like a comment"):
        chat.run(["document", str(file), "--line", "5"])


def test_a_change_of_several_files_is_shown_and_written_on_demand(
    daemon: ScriptedDaemon, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.texts = ["###PATH: a.py\nimport os\n###PATH: b.py\nx = 1\n"]
    line = ["change", str(file.parent), "--question", "Empty a, make b."]
    assert chat.run(line) == 0
    shown = capsys.readouterr().out
    assert "-def total(items):" in shown
    assert "+x = 1" in shown
    assert file.read_bytes() == CODE.encode()
    assert "###PATH: a.py\nimport os\n" in daemon.requests[0].messages[0].text
    assert chat.run([*line, "--write"]) == 0
    assert file.read_bytes() == b"import os\r\n"
    assert file.with_name("b.py").read_text() == "x = 1\n"
    daemon.texts = ["###PATH: ../c.py\nx = 1\n"]
    with pytest.raises(BadRequest, match="no file of the folder"):
        chat.run([*line, "--write"])
    assert not (file.parent.parent / "c.py").exists()
