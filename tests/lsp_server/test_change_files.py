"""A change of several files in CodeGeeX4's form: what is shown, what is taken, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from glm_lsp.whole_files import FileChange, changes_of, inside, shown_whole
from glm_protocol.errors import BadRequest
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor

ANSWER = (
    "###PATH: a.py\n```python\nx = 2\n```\n\n###PATH: ./pkg/new.py\n\ndef f():\n    return 1\n"
    "###PATH: same.py\ny = 1\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "w"
    made.mkdir()
    (made / "a.py").write_bytes(b"x = 1\r\n")
    (made / "same.py").write_text("y = 1\n")
    return made


def test_whole_files_are_taken_and_what_stays_is_left_out(root: Path) -> None:
    shown = shown_whole(root, ["a.py", "same.py", "a.py"], room=1000)
    assert shown == {"a.py": "x = 1\r\n", "same.py": "y = 1\n"}
    assert changes_of(ANSWER, root, shown) == (
        FileChange(path="a.py", old="x = 1\r\n", new="x = 2\r\n"),
        FileChange(path="pkg/new.py", old=None, new="def f():\n    return 1\n"),
    )


def test_what_cannot_come_back_whole_is_not_shown(root: Path) -> None:
    (root / "latin.py").write_bytes(b"x = '\xe9'\n")
    (root / "key.py").write_text("key = 'ghp_" + "a1B2" * 9 + "'\n")
    (root / ".env").write_text("A=1\n")
    (root / "long.py").write_text("x = 1\n" * 1000)
    (root / "out.py").symlink_to(root.parent / "elsewhere.py")
    (root.parent / "elsewhere.py").write_text("x = 1\n")
    names = ["latin.py", "key.py", ".env", "long.py", "out.py", "none.py", "../elsewhere.py"]
    assert shown_whole(root, names, room=1000) == {}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("No file here.", "names no file"),
        ("###PATH: same.py\ny = 2\n", "not shown whole"),
        ("###PATH: ../b.py\nx\n", "no file of the folder"),
        ("###PATH: /etc/passwd\nx\n", "no file of the folder"),
        ("###PATH: .git/hooks/pre-commit\nx\n", "no file of the folder"),
        ("###PATH: .env\nx\n", "no file of the folder"),
        ("".join(f"###PATH: f{n}.py\nx\n" for n in range(65)), "at most 64"),
    ],
)
def test_unsound_answers_change_nothing(root: Path, answer: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        changes_of(answer, root, {})
    assert (root / "same.py").read_text() == "y = 1\n"


@pytest.mark.parametrize("path", ["", "a\\b.py", "c:/x.py", "a\nb", "d/", "x/../../y"])
def test_strange_paths_are_outside(root: Path, path: str) -> None:
    assert inside(root, path) is None


async def test_the_editor_gets_one_edit_of_all_files(daemon: StubDaemon, root: Path) -> None:
    editor = InProcessEditor()
    await editor.initialize(workspaceFolders=[{"uri": root.as_uri(), "name": "w"}])
    uri = (root / "a.py").as_uri()
    editor.open("x = 1\nz = 0\n", uri)  # not saved yet: the buffer counts
    daemon.text = ANSWER.replace("###PATH: same.py\ny = 1\n", "")
    messages = [{"role": "user", "content": "Make x two and add f."}]
    params = {"token": "t", "task": "change", "textDocument": {"uri": uri}, "messages": messages}
    result = await editor.ask("glm/chat", params)
    sent = daemon.requests[0]
    assert sent["options"] == {"task": "change"}
    text = sent["messages"][0]["text"]
    assert text.startswith("###PATH: a.py\nx = 1\nz = 0\n")
    assert text.endswith("Make x two and add f.")
    first, create, second = result["edit"]["documentChanges"]
    assert first["textDocument"] == {"uri": uri, "version": 1}
    assert first["edits"][0]["newText"] == "x = 2\n"
    new = (root / "pkg" / "new.py").as_uri()
    assert create == {"kind": "create", "uri": new, "options": {"overwrite": False}}
    assert second["edits"][0]["newText"] == "def f():\n    return 1\n"
    assert not (root / "pkg").exists()
    reply = await editor.reply(editor.request("glm/chat", {**params, "messages": None}))
    assert "say what shall change" in reply["error"]["message"]
    await editor.server.close()
    editor.check()
