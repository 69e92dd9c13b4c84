"""Settings in and status out, as the editor sees them; folders; commands; one message at most."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from glm_client.daemon_address import LocalDaemon, TeamDaemon
from glm_lsp.features import progress
from glm_lsp.features.configuration import address_of
from glm_lsp.features.workspace_folders import WorkspaceFolders
from glm_protocol.errors import BadRequest
from glm_protocol.folders import Folders
from glm_protocol.settings import DaemonSettings, Settings
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor
from tests.support.raw_lsp_client import FULL_CAPABILITIES


async def test_settings_are_pulled_and_used(daemon: StubDaemon) -> None:
    editor = InProcessEditor({"model": "m", "inlineCompletion": {"maxTokens": 7, "mode": "line"}})
    await editor.initialize()
    editor.open("x = ")
    await editor.ghost(0, 4)
    wire = daemon.requests[0]
    assert (wire["model"], wire["max_tokens"], wire["mode"]) == ("m", 7, "line")
    editor.settings = {"model": "n"}
    editor.notify("workspace/didChangeConfiguration", {"settings": None})
    editor.type(0, 4, "z")
    for _ in range(50):
        if editor.server.settings.model == "n":
            break
        await asyncio.sleep(0.01)
    editor.type(0, 5, "z")
    await editor.ghost(0, 6)
    assert daemon.requests[-1]["model"] == "n"
    await editor.server.close()


async def test_a_document_may_have_settings_of_its_own(daemon: StubDaemon) -> None:
    editor = InProcessEditor({"model": "m", "inlineCompletion": {"mode": "block"}})
    own = {
        "inlineCompletion": {"mode": "line", "maxTokens": 5},
        "model": "evil",
        "daemon": {"url": "x"},
    }
    editor.settings_of = {"file:///a.py": own, "file:///off.py": {"enable": False}}
    await editor.initialize()
    for name in ("a", "b", "off"):
        editor.open("x = ", uri=f"file:///{name}.py")
    asked = editor.server.document_settings.of
    async with asyncio.timeout(5):
        while (
            asked("file:///off.py").enable
            or asked("file:///a.py").inline_completion.max_tokens != 5
        ):
            await asyncio.sleep(0.005)
    await editor.ghost(0, 4, uri="file:///a.py")
    await editor.ghost(0, 4, uri="file:///b.py")
    assert await editor.ghost(0, 4, uri="file:///off.py") is None
    said = [(wire["mode"], wire["max_tokens"], wire["model"]) for wire in daemon.requests]
    assert said == [("line", 5, "m"), ("block", 64, "m")]
    editor.notify("textDocument/didClose", {"textDocument": {"uri": "file:///a.py"}})
    await editor.ask("glm/status")
    assert asked("file:///a.py") is editor.server.settings
    await editor.server.close()


@pytest.mark.parametrize("nested", [True, False])
async def test_an_editor_that_cannot_be_asked_sends_them_along(
    daemon: StubDaemon, nested: bool
) -> None:
    editor = InProcessEditor()
    options = {"glm": {"model": "a"}} if nested else {"model": "a"}
    await editor.initialize({}, initializationOptions=options)
    assert editor.server.settings.model == "a"
    editor.notify("workspace/didChangeConfiguration", {"settings": {"glm": {"model": "b"}}})
    assert editor.server.settings.model == "b"
    editor.notify("workspace/didChangeConfiguration", {"settings": {"other": {}}})
    assert editor.server.settings.model == "b"
    await editor.server.close()


async def test_bad_settings_cost_their_keys_and_one_message(daemon: StubDaemon) -> None:
    bad = {"model": 5, "inlineCompletion": {"maxTokens": 0, "mode": "line"}, "typo": 1}
    editor = InProcessEditor(bad)
    await editor.initialize()
    editor.notify("workspace/didChangeConfiguration", {})
    editor.open("x = ")
    assert await editor.ghost(0, 4) is not None
    (notice,) = editor.notices()
    assert all(key in notice for key in ("glm.model", "glm.inlineCompletion.maxTokens", "glm.typo"))
    assert daemon.requests[0]["mode"] == "line"
    await editor.server.close()


@pytest.mark.parametrize("answer", [None, [], [None], "text", [[]], [{"model": None}]])
async def test_odd_answers_about_settings_mean_the_defaults(
    daemon: StubDaemon, answer: Any
) -> None:
    editor = InProcessEditor()
    editor.settings = answer[0] if isinstance(answer, list) and answer else answer
    await editor.initialize()
    editor.open("x = ")
    assert await editor.ghost(0, 4) is not None
    await editor.server.close()


def test_addresses(folders: Folders, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLM_LSP_TOKEN", raising=False)
    local = address_of(Settings(model="m"))
    assert local == LocalDaemon(folders=folders, serve_args=("--idle-exit", "1800", "--model", "m"))
    token_file = tmp_path / "token"
    token_file.write_text("secret\n")
    token_file.chmod(0o600)
    team = DaemonSettings(url="https://gpu:8443", token_file=str(token_file))
    assert address_of(Settings(daemon=team)) == TeamDaemon(url="https://gpu:8443", token="secret")
    monkeypatch.setenv("GLM_LSP_TOKEN", "from the environment")
    assert address_of(Settings(daemon=team)).token == "from the environment"  # type: ignore[union-attr]


@pytest.mark.parametrize("url", ["http://gpu:8443", "ftp://gpu", "gpu:8443", "https://", "//x"])
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(BadRequest):
        TeamDaemon(url=url, token="")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8", "http://localhost:8", "http://[::1]:8"])
def test_plain_http_is_for_this_machine_alone(url: str) -> None:
    assert TeamDaemon(url=url, token="").url == url


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_token_that_others_can_read_is_refused(
    folders: Folders, tmp_path: Any, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLM_LSP_TOKEN", raising=False)
    token_file = tmp_path / "token"
    token_file.write_text("secret")
    token_file.chmod(mode)
    for name in (token_file, tmp_path, tmp_path / "absent", "/dev/zero"):
        settings = DaemonSettings(url="https://gpu", token_file=str(name))
        with pytest.raises(BadRequest) as refused:
            address_of(Settings(daemon=settings))
        assert "secret" not in str(refused.value)


async def test_a_url_that_is_refused_is_said_once(daemon: StubDaemon) -> None:
    editor = InProcessEditor({"daemon": {"url": "http://gpu:1"}})
    await editor.initialize()
    editor.open("x = ")
    for _ in range(3):
        assert await editor.ghost(0, 4) is None
    assert len(editor.notices()) == 1
    assert daemon.calls == []
    await editor.server.close()


async def test_connecting_to_a_daemon_that_runs_shows_no_progress(
    daemon: StubDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SHOWN_AFTER_S", 0.2)
    editor = InProcessEditor()
    await editor.initialize()
    editor.open("x = ")
    await editor.state("ready")
    await asyncio.sleep(0.25)
    assert not [m for m in editor.sent if "rogress" in m.get("method", "")]
    await editor.server.close()


async def test_status_and_progress(daemon: StubDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHOWN_AFTER_S", 0.0)
    daemon.ready = {"ready": False, "state": "starting", "detail": ""}
    editor = InProcessEditor()
    await editor.initialize()
    editor.open("x = ")
    await editor.state("loading")
    daemon.ready = {"ready": True}
    await editor.state("ready")
    await editor.ghost(0, 4)
    status = await editor.ask("glm/status")
    assert (status["state"], status["model"], status["enabled"]) == ("ready", "stub", True)
    assert status == await editor.ask(
        "workspace/executeCommand", {"command": "glm.server.status", "arguments": []}
    )
    values = [m["params"]["value"]["kind"] for m in editor.sent if m.get("method") == "$/progress"]
    assert values[0] == "begin"
    assert values[-1] == "end"
    assert editor.notices() == []
    await editor.server.close()


async def test_a_model_that_cannot_be_loaded_is_said_once(daemon: StubDaemon) -> None:
    daemon.ready = {"ready": False, "state": "unusable", "detail": "No weights."}
    editor = InProcessEditor()
    await editor.initialize()
    editor.open("x = ")
    assert (await editor.state("failed"))["message"] == "No weights."
    assert len(editor.notices()) == 1
    await editor.server.close()


@pytest.mark.parametrize(
    ("error", "notices"),
    [
        ((404, {"error": {"code": "model_unknown", "message": "No m.", "remedy": "Add."}}), 1),
        ((429, {"error": {"code": "overloaded", "message": "Full.", "remedy": ""}}), 0),
        ((503, {"error": {"code": "not_ready", "message": "Loading.", "remedy": ""}}), 0),
        ((500, {"nonsense": 1}), 1),
        ((200, {}), 1),
    ],
)
async def test_errors_of_the_daemon_give_empty_lists(
    editor: InProcessEditor, daemon: StubDaemon, error: Any, notices: int
) -> None:
    daemon.error = error
    editor.open("x = ")
    for _ in range(3):
        assert await editor.ghost(0, 4) is None
    assert len(editor.notices()) == notices


async def test_off_by_setting_starts_nothing(daemon: StubDaemon) -> None:
    editor = InProcessEditor({"enable": False})
    await editor.initialize()
    editor.open("x = ")
    assert await editor.ghost(0, 4) is None
    assert daemon.calls == []
    await editor.server.close()


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"command": "rm -rf /"}, -32602),
        ({}, -32602),
        ({"command": 7}, -32602),
    ],
)
async def test_wrong_commands_are_refused(editor: InProcessEditor, params: Any, code: int) -> None:
    reply = await editor.reply(editor.request("workspace/executeCommand", params))
    assert reply["error"]["code"] == code


@pytest.mark.parametrize("arguments", [None, [], [1], [{"uri": 5}], [{"uri": "unknown"}]])
async def test_accepted_takes_any_arguments(editor: InProcessEditor, arguments: Any) -> None:
    params = {"command": "glm.server.accepted", "arguments": arguments}
    assert await editor.ask("workspace/executeCommand", params) is None


def test_paths_are_relative_to_the_innermost_folder() -> None:
    folders = WorkspaceFolders()
    folders.begin({"workspaceFolders": [{"uri": "file:///w"}, {"uri": "file:///w/in"}, 5, {}]})
    assert folders.path_of("file:///w/in/a.py") == "a.py"
    assert folders.path_of("file:///w/b/c%C3%A9.py") == "b/cé.py"
    assert folders.path_of("file:///elsewhere/secret/d.py") == "d.py"
    assert folders.path_of("file:///wide/e.py") == "e.py"
    assert folders.path_of("untitled:Untitled-1") == "Untitled-1"
    for odd in ("http://[bad", "", "%", "file:///%ff%00", "x" * 8000):
        assert len(folders.path_of(odd)) <= 4096
    folders.change([], [{"uri": "file:///w/in"}])
    assert folders.path_of("file:///w/in/a.py") == "in/a.py"
    old = WorkspaceFolders()
    old.begin({"rootUri": "file:///r", "workspaceFolders": None})
    assert old.path_of("file:///r/a/b") == "a/b"


async def test_folders_change(editor: InProcessEditor, daemon: StubDaemon) -> None:
    event = {"added": [{"uri": "file:///w", "name": "w"}], "removed": []}
    editor.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": 1}})
    editor.open("x = ", "file:///w/p/a.py")
    await editor.ghost(0, 4, "file:///w/p/a.py")
    assert daemon.requests[0]["context"]["path"] == "p/a.py"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"capabilities": None},
        {"capabilities": []},
        {"capabilities": {"general": {"positionEncodings": [5, "utf-7", "utf-32"]}}},
        {"capabilities": FULL_CAPABILITIES, "clientInfo": "x", "workspaceFolders": "y"},
        {"processId": "z", "initializationOptions": [1, 2]},
    ],
)
async def test_initialize_takes_anything(daemon: StubDaemon, params: Any) -> None:
    editor = InProcessEditor()
    result = await editor.ask("initialize", params)
    assert "inlineCompletionProvider" in result["capabilities"]
    expected = "utf-32" if "utf-7" in str(params) else "utf-16"
    assert result["capabilities"]["positionEncoding"] == expected
    await editor.server.close()
