"""`glm/finetune` before a daemon that says how far a job is; and whose adapter a document asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glm_lsp.features import finetune
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor, eventually

JOBS = "/v1/fine_tuning/jobs"
FOLDER = {"token": "t", "folder": "file:///home/me/code"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "LOOK_S", 0.01)


def job(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "j1", "status": status, "glm": {"receipt": None}, "error": None, **more}


def event(number: int, kind: str, message: str, **data: Any) -> dict[str, Any]:
    return {"data": [{"id": f"e{number}", "type": kind, "message": message, "data": data}]}


async def test_steps_come_as_progress_and_the_receipt_ends_it(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    receipt = {"published": True, "reason": "It gains."}
    daemon.routes = {
        JOBS: [job("queued")],
        f"{JOBS}/j1": [
            job("running"), job("running"), job("running"),
            job("succeeded", glm={"receipt": receipt}),
        ],
        f"{JOBS}/j1/events?limit=1": [
            {"data": []},
            event(1, "message", "reading /home/me/code"),
            event(2, "metrics", "step 3/9", step=3, steps=9),
        ],
    }  # fmt: skip
    assert await editor.ask("glm/finetune", FOLDER) == receipt
    said = [m["params"] for m in editor.sent if m.get("method") == "glm/delta"]
    assert said == [
        {"token": "t", "step": 0, "steps": 0, "message": "reading /home/me/code"},
        {"token": "t", "step": 3, "steps": 9, "message": "step 3/9"},
    ]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (job("failed", error={"message": "There is too little to learn from."}), "too little"),
        (job("cancelled"), "was cancelled"),
    ],
)
async def test_other_ends_are_one_sentence(
    editor: InProcessEditor, daemon: StubDaemon, end: dict[str, Any], words: str
) -> None:
    daemon.routes = {JOBS: [job("queued")], f"{JOBS}/j1": [end]}
    reply = await editor.reply(editor.request("glm/finetune", FOLDER))
    assert words in reply["error"]["message"]


async def test_cancelling_the_request_cancels_the_job(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    daemon.routes = {JOBS: [job("queued")], f"{JOBS}/j1": [job("running")]}
    number = editor.request("glm/finetune", FOLDER)
    await eventually(lambda: f"{JOBS}/j1" in daemon.calls)
    editor.notify("$/cancelRequest", {"id": number})
    assert "error" in await editor.reply(number)
    await eventually(lambda: f"{JOBS}/j1/cancel" in daemon.calls)


async def test_a_folder_is_needed(editor: InProcessEditor) -> None:
    reply = await editor.reply(editor.request("glm/finetune", {"token": "t", "folder": "code"}))
    assert "folder" in reply["error"]["message"]


async def test_a_document_asks_for_the_adapter_of_its_repository(
    daemon: StubDaemon, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(
        '[remote "origin"]\n\turl = git@host.org:me/code.git\n'
    )
    editor = InProcessEditor()
    await editor.initialize(workspaceFolders=[{"uri": tmp_path.as_uri(), "name": "x"}])
    inside = (tmp_path / "a.py").as_uri()
    editor.open("x = ", inside)
    editor.open("y = ", "file:///elsewhere/b.py")
    await editor.ghost(0, 4, inside)
    await editor.ghost(0, 4, "file:///elsewhere/b.py")
    asked = {request["context"]["prefix"]: request["adapter"] for request in daemon.requests}
    assert asked == {"x = ": "@host.org/me/code", "y = ": None}
    await editor.server.close()
    editor.check()


async def test_the_setting_comes_before_the_repository_and_is_read_as_it_changes(
    daemon: StubDaemon, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    editor = InProcessEditor()
    await editor.initialize({}, workspaceFolders=[{"uri": tmp_path.as_uri(), "name": "x"}])
    for number, chosen in enumerate(("shop", "till", "")):
        settings = {"settings": {"glm": {"adapter": chosen}}}
        editor.notify("workspace/didChangeConfiguration", settings)
        uri = (tmp_path / f"{number}.py").as_uri()
        editor.open(f"x{number} = ", uri)
        await editor.ghost(0, 5, uri)
    asked = [request["adapter"] for request in daemon.requests]
    assert asked[:2] == ["shop", "till"]
    assert asked[2].startswith("@")
    await editor.server.close()
    editor.check()
