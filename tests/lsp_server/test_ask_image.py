"""`glm/askImage`, its hover and its code actions, before a daemon that says what a test wrote."""

from __future__ import annotations

import base64
from pathlib import Path, PurePosixPath

import pytest

from glm_lsp.image_links import image_links
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor
from tests.support.raw_lsp_client import Json

PNG = b"\x89PNG\r\n\x1a\n and what follows"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "shot one.png").write_bytes(PNG)
    (tmp_path / "logo.png").write_bytes(PNG)
    return tmp_path


async def answer(editor: InProcessEditor, **params: object) -> Json:
    reply = await editor.reply(editor.request("glm/askImage", {"token": "t", **params}))
    return reply


async def test_files_and_clipboard_reach_the_daemon(
    editor: InProcessEditor, daemon: StubDaemon, workspace: Path
) -> None:
    daemon.text = "a logo"
    clipboard = base64.b64encode(PNG).decode()
    images = [{"uri": (workspace / "logo.png").as_uri()}, {"data": clipboard}]
    result = await editor.ask(
        "glm/askImage", {"token": "t", "images": images, "question": "What?", "task": "describe"}
    )
    assert (result["text"], result["boxes"], result["valid"]) == ("a logo", [], None)
    assert result["model"] == "stub"
    [request] = daemon.requests
    assert request["options"] == {"task": "describe"}
    [message] = request["messages"]
    assert message["text"] == "What?"
    assert [image["data"] for image in message["images"]] == [clipboard, clipboard]
    sent = [m["params"] for m in editor.sent if m.get("method") == "glm/delta"]
    assert "".join(piece.get("text", "") for piece in sent) == "a logo"


async def test_what_is_no_picture_is_said(
    editor: InProcessEditor, daemon: StubDaemon, workspace: Path
) -> None:
    for image, words in (
        ({"uri": workspace.as_uri()}, "is a folder"),
        ({"uri": (workspace / "none.png").as_uri()}, "No such file"),
        ({"uri": "https://example.org/x.png"}, "no file of this machine"),
        ({"data": "?"}, "no base64"),
        ({"data": ""}, "empty"),
        (7, "{uri} or {data}"),
    ):
        reply = await answer(editor, images=[image], question="")
        assert words in reply["error"]["message"], image
    for images in ([], [{"data": ""}] * 17):
        assert "error" in await answer(editor, images=images, question="")
    reply = await answer(editor, images=[{"data": "QQ=="}], question="", task="dance")
    assert "task is none of" in reply["error"]["message"]
    assert daemon.requests == []


async def test_links_of_the_workspace_are_found_and_no_other(workspace: Path) -> None:
    root = PurePosixPath(workspace)
    uri = (workspace / "docs" / "page.md").as_uri()
    outside = workspace.parent / "secret.png"
    outside.write_bytes(PNG)
    (workspace / "docs" / "way-out.png").symlink_to(outside)

    def found(line: str) -> list[str]:
        return [link.path.name for link in image_links(line, uri, root)]

    assert found("see ![a](shot%20one.png) here") == ["shot one.png"]
    assert found('<img src="../logo.png" width=3>') == ["logo.png"]
    assert found("icon = load('/logo.png')") == ["logo.png"]
    for line in (
        "![a](../../secret.png)",
        "![a](way-out.png)",
        "![a](none.png)",
        "![a](https://example.org/logo.png)",
        f"![a]({outside})",
    ):
        assert found(line) == [], line
    assert list(image_links("![a](logo.png)", uri, None)) == []


async def test_a_link_is_shown_and_offered(daemon: StubDaemon, workspace: Path) -> None:
    daemon.models = {"data": []}
    editor = InProcessEditor()
    await editor.initialize(workspaceFolders=[{"uri": workspace.as_uri(), "name": "w"}])
    uri = (workspace / "docs" / "page.md").as_uri()
    line = "see ![a](shot%20one.png) here\n"
    editor.notify(
        "textDocument/didOpen",
        {"textDocument": {"uri": uri, "languageId": "markdown", "version": 1, "text": line}},
    )
    where = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 12}}
    shown = await editor.ask("textDocument/hover", where)
    picture = (workspace / "docs" / "shot one.png").as_uri()
    assert f"![]({picture})" in shown["contents"]["value"]
    assert shown["range"]["start"] == {"line": 0, "character": 9}
    assert shown["range"]["end"] == {"line": 0, "character": 23}
    elsewhere = {**where, "position": {"line": 0, "character": 1}}
    assert await editor.ask("textDocument/hover", elsewhere) is None
    point = {"line": 0, "character": 12}
    offered = await editor.ask(
        "textDocument/codeAction",
        {
            "textDocument": {"uri": uri},
            "range": {"start": point, "end": point},
            "context": {"diagnostics": []},
        },
    )
    arguments = [action["command"]["arguments"][0] for action in offered]
    asked = [a["params"] for a in arguments if a["request"] == "glm/askImage"]
    tasks = [params["task"] for params in asked]
    assert tasks == ["describe", "read", "error", "diagram", "chart", "ui"]
    assert asked[0]["images"] == [{"uri": picture}]
    await editor.server.close()
    editor.check()
