"""`glm-lsp ask`: the command line, taken apart, and the object that it prints."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from glm_client.daemon_client import Answer
from glm_client.named_places import find_places
from glm_client.picture_file import MAX_SENT
from glm_protocol.answers import End, FinishReason
from glm_protocol.errors import BadRequest, GlmError, Unsupported
from glm_vision import ask_command
from glm_vision.ask_command import arguments, as_json, asked_by, request_from, run

PNG = b"\x89PNG\r\n\x1a\n rest"


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    path = tmp_path / "shot.png"
    path.write_bytes(PNG)
    return path


def test_pictures_come_before_the_question(shot: Path) -> None:
    asked = asked_by(arguments().parse_args([str(shot), str(shot), "What?"]))
    assert (asked.question, asked.pictures) == ("What?", (PNG, PNG))


def test_with_a_task_the_question_may_be_missing(shot: Path) -> None:
    options = arguments().parse_args([str(shot), "--task", "chart", "--form", "json"])
    asked = asked_by(options)
    assert (asked.question, asked.pictures) == ("", (PNG,))
    request = request_from(options, asked)
    assert request.options == {"task": "chart", "form": "json"}
    assert request.messages[0].images[0].data == base64.b64encode(PNG).decode()
    words = arguments().parse_args([str(shot), "the button", "--task", "find"])
    assert asked_by(words).question == "the button"
    long = arguments().parse_args([str(shot), "x" * 5000, "--task", "read"])
    assert asked_by(long).question == "x" * 5000


def test_standard_input_is_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(PNG)))
    assert asked_by(arguments().parse_args(["-", "--task", "read"])).pictures == (PNG,)


def test_what_is_no_picture_is_told(tmp_path: Path, shot: Path) -> None:
    fifo = tmp_path / "fifo.png"
    os.mkfifo(fifo)
    link = tmp_path / "link.png"
    link.symlink_to(shot)
    empty = tmp_path / "empty.png"
    empty.touch()
    large = tmp_path / "large.png"
    with large.open("wb") as stream:
        stream.truncate(MAX_SENT + 1)
    for path, words in (
        (fifo, "a named pipe"),
        (link, "symbolic link"),
        (tmp_path, "a folder"),
        (tmp_path / "none.png", "No such file"),
        (empty, "empty"),
        (large, "MB"),
    ):
        options = arguments().parse_args([str(path), "What?"])
        with pytest.raises(GlmError, match=words):
            request_from(options, asked_by(options))
    with pytest.raises(BadRequest, match="no picture"):
        asked_by(arguments().parse_args(["What?"]))


def test_a_machine_without_a_clipboard_tool_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Unsupported, match="clipboard"):
        asked_by(arguments().parse_args(["What?", "--clipboard"]))


def test_the_object_has_its_words(
    shot: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    picture = tmp_path / "real.png"
    Image.new("RGB", (60, 40), "white").save(picture)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("one\nraise KeyError\n")
    report = {
        "boxes": [[1, 2, 30, 40]],
        "valid": True,
        "notes": ["scaled"],
        "places": [{"file": "src/app.py", "line": 2}, {"file": "none.py", "line": 1}],
    }
    end = End(finish=FinishReason.STOP, model="m", report=report)

    async def answered(*_: object, **__: object) -> Answer:
        return Answer(text="read", images=(), end=end)

    monkeypatch.setattr(ask_command, "ask", answered)
    drawn = tmp_path / "boxes.png"
    common = [str(picture), "--task", "error", "--workspace", str(tmp_path), "--draw", str(drawn)]
    assert run([*common, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["text"], told["boxes"], told["valid"]) == ("read", [[1, 2, 30, 40]], True)
    assert {"timings_ms", "model", "finish", "notes"} <= set(told)
    first, second = told["places"]
    assert first["path"] == str(tmp_path / "src" / "app.py")
    assert first["text"] == "raise KeyError"
    assert second["path"] == ""
    with Image.open(drawn) as copy:
        assert copy.size == (60, 40)
        assert copy.convert("RGB").getpixel((29, 39)) != (255, 255, 255)
    assert run(common) == 0
    shown = capsys.readouterr()
    assert "box: [1, 2, 30, 40]" in shown.out
    assert "src/app.py:2" in shown.out
    assert "note: scaled" in shown.err
    assert as_json(Answer(text="", images=(), end=end), [])["places"] == []


def test_places_are_found_by_their_longest_common_end(tmp_path: Path) -> None:
    for name in ("a/util.py", "b/deep/util.py", "node_modules/b/deep/util.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    outside = tmp_path.parent / "outside.py"
    outside.write_text("secret\n")
    (tmp_path / "outside.py").symlink_to(outside)

    def path(file: str) -> str:
        [place] = find_places(tmp_path, [{"file": file, "line": 1}])
        return place.path.removeprefix(f"{tmp_path}/")

    assert path("/home/me/b/deep/util.py") == "b/deep/util.py"
    assert path("C:\\work\\A\\Util.py") == "a/util.py"
    assert path("../../outside.py") == ""
    assert path("missing.py") == ""
