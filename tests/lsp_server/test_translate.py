"""`glm/translate`: the answer's edit, what is never overwritten, what is refused, its actions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glm_protocol.answers import Chunk, End, FinishReason
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor, eventually

SOURCE = "def total(xs: list[int]) -> int:\n    return sum(xs)\n"
JAVASCRIPT = "function total(xs) {\n  return 0;\n}"


def answer(text: str = JAVASCRIPT, names: tuple[str, ...] = ("total = total",)) -> bytes:
    end = End(finish=FinishReason.STOP, model="stub", report={"names": list(names)})
    chunks = [Chunk(text=text), Chunk(end=end)]
    return b"".join(json.dumps(chunk.to_wire()).encode() + b"\n" for chunk in chunks)


def opened(editor: InProcessEditor, folder: Path, text: str = SOURCE) -> str:
    uri = (folder / "money.py").as_uri()
    editor.notify(
        "textDocument/didOpen",
        {"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": text}},
    )
    return uri


def params(uri: str, **more: Any) -> dict[str, Any]:
    return {"token": "t", "textDocument": {"uri": uri}, "to": "javascript", **more}


async def asked(editor: InProcessEditor, wanted: dict[str, Any]) -> Any:
    """The answer; the parse process may take its time to start on a busy machine."""
    return await editor.reply(editor.request("glm/translate", wanted), 60.0)


async def translated(editor: InProcessEditor, wanted: dict[str, Any]) -> Any:
    return (await asked(editor, wanted))["result"]


async def test_the_edit_makes_a_file_beside_the_source(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    daemon.raw_answer = answer()
    result = await translated(editor, params(opened(editor, tmp_path)))
    uri = (tmp_path / "money.js").as_uri()
    assert (result["uri"], result["text"], result["parses"]) == (uri, JAVASCRIPT + "\n", True)
    assert (result["units"], result["errors"], result["model"]) == (1, [], "stub")
    create, change = result["edit"]["documentChanges"]
    assert create == {"kind": "create", "uri": uri, "options": {"overwrite": False}}
    assert change["edits"][0]["newText"] == result["text"]
    sent = daemon.requests[0]
    assert (sent["source"], sent["target"], sent["model"]) == ("python", "javascript", None)
    pieces = [m["params"] for m in editor.sent if m.get("method") == "glm/delta"]
    assert {"token": "t", "text": JAVASCRIPT} in pieces
    assert any(piece.get("steps") == 1 for piece in pieces)


async def test_a_file_that_exists_is_left_alone(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    (tmp_path / "money.js").write_text("mine")
    daemon.raw_answer = answer()
    uri = opened(editor, tmp_path)
    result = await translated(editor, params(uri))
    assert result["exists"] is True
    assert "edit" not in result
    result = await translated(editor, params(uri, overwrite=True))
    assert result["edit"]["documentChanges"][0]["options"] == {"overwrite": True}
    assert (tmp_path / "money.js").read_text() == "mine"


async def test_what_does_not_parse_is_tried_again_and_marked(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    daemon.raw_answer = answer("function total( {")
    result = await translated(editor, params(opened(editor, tmp_path)))
    assert result["parses"] is False
    assert result["retried"] == 1
    assert result["errors"]
    assert daemon.requests[1]["temperature"] > 0


async def test_only_the_lines_of_a_selection_are_sent(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    daemon.raw_answer = answer()
    uri = opened(editor, tmp_path, "x = 1\n\n\n" + SOURCE)
    where = {"start": {"line": 3, "character": 0}, "end": {"line": 5, "character": 0}}
    await translated(editor, params(uri, range=where))
    assert daemon.requests[0]["code"].rstrip("\n") == SOURCE.rstrip("\n")


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [(SOURCE, {"to": "klingon"}, "no language"), (SOURCE, {"to": "python"}, "already"),
     ("\n", {}, "empty"), ("import os\n", {}, "imports alone"),
     ("x = 1\n" * 20_001, {}, "at most 20,000")],
)  # fmt: skip
async def test_refusals_are_one_sentence(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path, text: str, more: dict[str, str],
    said: str,
) -> None:  # fmt: skip
    reply = await asked(editor, params(opened(editor, tmp_path, text), **more))
    assert said in reply["error"]["message"]
    assert not daemon.requests


async def test_a_cancel_frees_the_model(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    daemon.delay_s = 5
    number = editor.request("glm/translate", params(opened(editor, tmp_path)))
    await eventually(lambda: daemon.requests, 60.0)
    editor.notify("$/cancelRequest", {"id": number})
    assert (await editor.reply(number))["error"]["code"] == -32800
    assert not (tmp_path / "money.js").exists()
