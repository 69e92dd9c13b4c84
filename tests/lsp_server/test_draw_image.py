"""`glm/drawImage`: the file in the workspace, the link, what is refused; its code action."""

from __future__ import annotations

import base64
import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from glm_lsp.picture_link import link_to, missing_pictures
from glm_protocol.answers import Chunk, End, FinishReason, Progress
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor

PNG = b"\x89PNG bytes of the daemon"


def answer(images: int = 1, finish: FinishReason = FinishReason.STOP) -> bytes:
    report = {"seed": 7, "score": -1.5, "alpha": [{"clear_share": 0.5, "real": True}]}
    image = base64.b64encode(PNG).decode()
    chunks = [
        Chunk(progress=Progress(step=1, steps=2)),
        *(Chunk(image=image) for _ in range(images)),
        Chunk(end=End(finish=finish, model="stub", report=report)),
    ]
    return b"".join(json.dumps(chunk.to_wire()).encode() + b"\n" for chunk in chunks)


def opened(editor: InProcessEditor, folder: Path) -> None:
    editor.notify(
        "workspace/didChangeWorkspaceFolders",
        {"event": {"added": [{"uri": folder.as_uri(), "name": "w"}], "removed": []}},
    )


def params(**more: Any) -> dict[str, Any]:
    return {"token": "t", "prompt": "a red heart", **more}


async def test_files_lie_in_the_picture_folder_and_never_over_others(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    work = tmp_path / "w"
    (work / "assets").mkdir(parents=True)
    (work / "assets" / "a-red-heart.png").write_bytes(b"mine")
    opened(editor, work)
    daemon.raw_answer = answer(images=2)
    result = await editor.ask("glm/drawImage", params(size="64x32", count=2, transparent=True))
    names = [uri.rpartition("/")[2] for uri in result["files"]]
    assert names == ["a-red-heart-1.png", "a-red-heart-2.png"]
    assert (work / "assets" / "a-red-heart-1.png").read_bytes() == PNG
    assert (work / "assets" / "a-red-heart.png").read_bytes() == b"mine"
    assert (result["seed"], result["model"], result["score"]) == (7, "stub", -1.5)
    assert "edit" not in result
    sent = daemon.requests[0]
    assert (sent["width"], sent["height"], sent["count"], sent["transparent"]) == (64, 32, 2, True)
    steps = [m["params"] for m in editor.sent if m.get("method") == "glm/delta"]
    assert steps == [{"token": "t", "step": 1, "steps": 2}]


async def test_link_goes_where_the_cursor_is(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    work = tmp_path / "w"
    (work / "docs").mkdir(parents=True)
    opened(editor, work)
    uri = (work / "docs" / "page.md").as_uri()
    editor.notify(
        "textDocument/didOpen",
        {"textDocument": {"uri": uri, "languageId": "markdown", "version": 1, "text": "# Hi\n"}},
    )
    daemon.raw_answer = answer()
    place = {"line": 1, "character": 0}
    asked = params(
        textDocument={"uri": uri}, position=place, target=(work / "img" / "h.png").as_uri()
    )
    result = await editor.ask("glm/drawImage", asked)
    (change,) = result["edit"]["changes"][uri]
    assert change == {
        "range": {"start": place, "end": place},
        "newText": "![a red heart](../img/h.png)",
    }
    assert (work / "img" / "h.png").read_bytes() == PNG


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"prompt": " "}, "prompt is empty"),
        ({"prompt": "x" * 10_001}, "longer than 10000"),
        ({"size": "0x5"}, "size is"),
        ({"size": "100000x5"}, "size is"),
        ({"size": "-3x5"}, "size is"),
        ({"count": 17}, "count may be"),
        ({"target": "http://x/y.png"}, "no file of this machine"),
        ({"position": {"line": 0, "character": 0}}, "needs its textDocument"),
        ({"previews": 17}, "previews may be"),
        ({"options": "no"}, "options is an object"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    editor: InProcessEditor, tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    opened(editor, tmp_path)
    reply = await editor.reply(editor.request("glm/drawImage", params(**more)))
    assert words in reply["error"]["message"]


async def test_nothing_is_written_outside_or_in_another_format(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    work = tmp_path / "w"
    work.mkdir()
    (work / "out").symlink_to(tmp_path)
    opened(editor, work)
    for target, words in (
        (tmp_path / "x.png", "in no open folder"),
        (work / "out" / "x.png", "in no open folder"),
        (work / "x.jpg", "PNG files"),
    ):
        asked = params(target=target.as_uri())
        reply = await editor.reply(editor.request("glm/drawImage", asked))
        assert words in reply["error"]["message"]
    assert daemon.requests == []


async def test_a_picture_is_drawn_into_beside_itself(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    work = tmp_path / "w"
    work.mkdir()
    opened(editor, work)
    (work / "photo.jpg").write_bytes(b"a photo")
    (work / "photo.png").write_bytes(b"mine")
    (tmp_path / "secret.png").write_bytes(b"not in the folder")
    daemon.raw_answer = answer()
    change = {"change": (work / "photo.jpg").as_uri(), "box": "1,2,3,4"}
    result = await editor.ask("glm/drawImage", params(**change, options={"best_of": 4}))
    assert [uri.rpartition("/")[2] for uri in result["files"]] == ["photo-1.png"]
    (sent,) = daemon.requests
    assert base64.b64decode(sent["image"]) == b"a photo"
    assert sent["options"] == {"box": "1,2,3,4", "size": "given", "best_of": "4"}
    for more, words in (
        ({"change": (tmp_path / "secret.png").as_uri()}, "in no open folder"),
        ({**change, "mask": (tmp_path / "secret.png").as_uri()}, "in no open folder"),
        ({"change": (work / "none.png").as_uri()}, "cannot be read"),
        ({"box": "1,2,3,4"}, "need change"),
    ):
        reply = await editor.reply(editor.request("glm/drawImage", params(**more)))
        assert words in reply["error"]["message"]
    assert len(daemon.requests) == 1


async def test_previews_come_with_the_steps(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    opened(editor, tmp_path)
    step = Chunk(progress=Progress(step=1, steps=2, preview="aGk="))
    daemon.raw_answer = json.dumps(step.to_wire()).encode() + b"\n" + answer()
    await editor.ask("glm/drawImage", params(previews=2))
    assert daemon.requests[0]["previews"] == 2
    deltas = [m["params"] for m in editor.sent if m.get("method") == "glm/delta"]
    assert deltas[0]["preview"] == "data:image/png;base64,aGk="
    assert "preview" not in deltas[1]


async def test_no_picture_is_an_error_and_no_file(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    opened(editor, tmp_path)
    daemon.raw_answer = answer(images=0, finish=FinishReason.DEADLINE)
    reply = await editor.reply(editor.request("glm/drawImage", params()))
    assert "deadline" in reply["error"]["message"]
    assert not list(tmp_path.glob("*.png"))


async def test_action_on_a_missing_picture(editor: InProcessEditor, tmp_path: Path) -> None:
    opened(editor, tmp_path)
    (tmp_path / "there.png").write_bytes(PNG)
    uri = (tmp_path / "a.html").as_uri()
    text = (
        '<img src="img/blue-star.png" width="48" height="40">\n<img src="there.png">\n'
        '<img alt="a cat" src="cat.png"><img src="../../etc.png">\n'
    )
    editor.notify(
        "textDocument/didOpen",
        {"textDocument": {"uri": uri, "languageId": "html", "version": 1, "text": text}},
    )

    async def drawings(line: int) -> list[dict[str, Any]]:
        where = {"start": {"line": line, "character": 0}, "end": {"line": line, "character": 0}}
        asked = {"textDocument": {"uri": uri}, "range": where, "context": {"diagnostics": []}}
        found = await editor.ask("textDocument/codeAction", asked)
        arguments = [action["command"]["arguments"][0] for action in found]
        return [a["params"] for a in arguments if a["request"] == "glm/drawImage"]

    (first,) = await drawings(0)
    target = (tmp_path / "img" / "blue-star.png").as_uri()
    assert first == {"prompt": "blue star", "target": target, "size": "48x40"}
    assert await drawings(1) == []
    assert [action["prompt"] for action in await drawings(2)] == ["a cat"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("markdown", "![a \\[b\\] & c](img/p%20q.png)"),
        ("html", '<img src="img/p%20q.png" alt="a [b] &amp; c" width="8" height="9">'),
        (
            "typescriptreact",
            '<img src="img/p%20q.png" alt="a [b] &amp; c" width={8} height={9} />',
        ),
        ("css", 'url("img/p%20q.png")'),
        ("python", "img/p%20q.png"),
    ],
)
def test_link_is_spelled_as_the_language_does(language: str, text: str) -> None:
    file, document = Path("/w/img/p q.png"), PurePosixPath("/w/page")
    assert link_to(file, document, language, alt="a [b]\n& c", size="8x9") == text


def test_no_link_outside_of_a_folder_is_missing(tmp_path: Path) -> None:
    line = '<img src="https://x/y.png"> <img src="data:a.png"> ![z](//h/k.png)'
    uri = (tmp_path / "a.md").as_uri()
    assert list(missing_pictures(line, uri, PurePosixPath(tmp_path))) == []
    assert list(missing_pictures("![z](k.png)", uri, None)) == []
