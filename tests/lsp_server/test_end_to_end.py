"""Editor to daemon and back over real processes, with the fake model (e2e).

The fake's answer holds a hash of all that it was told, so equality of the server's buffer with
the editor's (I3) is seen in the text itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from glm_protocol.completion import CodeContext
from glm_protocol.folders import Folders
from glm_runtime.fake_answers import fake_text
from glm_runtime.fake_engine import FakeScript
from tests.support.daemon_process import fresh_folders
from tests.support.invariants import assert_all_gone, assert_no_canary, descendants
from tests.support.raw_lsp_client import RawLspClient, at, insertion

pytestmark = pytest.mark.e2e

SETTINGS = {"model": "fake", "daemon": {"idleExitSeconds": 60}}
URI = "file:///w/a.py"


class Place:
    """Folders of one test, and every daemon that was started in them."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.journal = folders.runtime.parent / "journal"
        self.script: dict[str, str] = {}

    def scripted(self, **fields: Any) -> None:
        self.script = FakeScript(journal=str(self.journal), **fields).to_environment()

    def client(self, **more: Any) -> RawLspClient:
        environ = {
            "GLM_LSP_HOME": str(self.folders.home),
            "GLM_LSP_RUNTIME": str(self.folders.runtime),
            **self.script,
        }
        more.setdefault("settings", SETTINGS)
        return RawLspClient(environ=environ, **more)

    def daemons(self) -> list[psutil.Process]:
        """The daemons of these folders, by their environment (not their workers)."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if "glm_daemon.main" in process.cmdline() and process.environ().get(
                    "GLM_LSP_RUNTIME"
                ) == str(self.folders.runtime):
                    found.append(process)
        return found

    def noted(self, op: str) -> list[dict[str, Any]]:
        """Lines of the fake engine's journal."""
        if not self.journal.exists():
            return []
        lines = map(json.loads, self.journal.read_text().splitlines())
        return [line for line in lines if line["op"] == op]


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place(fresh_folders())
    made.scripted()
    yield made
    family = [child for daemon in made.daemons() for child in descendants(daemon.pid)]
    for daemon in made.daemons():
        with contextlib.suppress(psutil.Error):
            daemon.send_signal(signal.SIGCONT)
            daemon.terminate()
    assert_all_gone(family)
    shutil.rmtree(made.folders.runtime.parent, ignore_errors=True)


def ghost(client: RawLspClient, line: int, character: int, uri: str = URI) -> Any:
    """The one item, or None. ContentModified counts as none."""
    number = client.request("textDocument/inlineCompletion", at(uri, line, character))
    started = time.monotonic()
    reply = client.reply(number)
    assert time.monotonic() - started < 10  # 2 s by the server's clock; the machine may be busy
    items = reply.get("result", {"items": []})["items"]
    return items[0] if items else None


def ghost_soon(client: RawLspClient, line: int, character: int, within: float = 30) -> Any:
    """The first item that comes: the daemon may still be starting."""
    give_up = time.monotonic() + within
    while time.monotonic() < give_up:
        if (item := ghost(client, line, character)) is not None:
            return item
        time.sleep(0.1)
    raise AssertionError(f"no ghost text in {within} s; {client.ask('glm/status')}")


def eventually(true: Any, within: float = 15) -> None:
    give_up = time.monotonic() + within
    while not true():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.02)


def test_a_session_from_nothing_to_ghost_text(place: Place) -> None:
    canary = "canary_name_of_the_user"
    with place.client() as client:
        client.initialize(workspaceFolders=[{"uri": "file:///w", "name": "w"}])
        client.open(URI, f"def {canary}():\r\n    return 😀\r\n")
        item = ghost_soon(client, 1, 13)
        prefix = f"def {canary}():\n    return 😀"
        context = CodeContext(path="a.py", language="python", prefix=prefix, suffix="\n")
        assert item["insertText"] == fake_text(context)
        submitted = len(place.noted("submit"))
        for typed, character in enumerate(item["insertText"][:5]):
            client.change(URI, typed + 2, insertion(1, 13 + typed, character))
            again = ghost(client, 1, 14 + typed)
            assert again["insertText"].endswith(item["insertText"][typed + 1 :])
        assert len(place.noted("submit")) == submitted  # typed along: no call
        assert client.ask("glm/status")["model"] == "fake"
        client.check_notices(0)
        assert client.stop() == 0
        client.check_one_reply_per_id()
        assert canary not in client.log()
    assert len(place.daemons()) == 1  # it outlives the editor
    assert place.folders.socket.stat().st_mode & 0o777 == 0o600
    assert_no_canary(place.folders.runtime, [canary])


def test_the_buffer_is_the_editor_s_after_many_edits(place: Place) -> None:
    for encoding in ("utf-8", "utf-16", "utf-32"):
        check_buffer(place, encoding)


def check_buffer(place: Place, encoding: str) -> None:
    """I3: what the model is told is what the editor holds."""
    codec, width = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[
        encoding
    ]

    def units(text: str) -> int:
        return len(text.encode(codec)) // width

    with place.client() as client:
        capabilities = {"general": {"positionEncodings": [encoding]}}
        client.initialize(capabilities, initializationOptions=SETTINGS)
        text = "\tname = '😀\u2028é'\r\nx = 한\x0c("
        client.open("untitled:a", text, "plain")
        for version, piece in enumerate(("a😀", "\u2028", "\x85b", "한\tc", "\x1c("), start=2):
            last = text.split("\r\n")[-1]
            client.change("untitled:a", version, insertion(1, units(last), piece))
            text += piece
        column = units(text.split("\r\n")[-1])
        give_up = time.monotonic() + 30
        while (item := ghost(client, 1, column, "untitled:a")) is None:
            assert time.monotonic() < give_up
            time.sleep(0.1)
        context = CodeContext(
            path="a", language="plain", prefix=text.replace("\r\n", "\n"), suffix=""
        )
        assert item["insertText"] == fake_text(context)


def test_cancel_stops_the_decoding(place: Place) -> None:
    place.scripted(step_delay_s=0.02, text="word " * 400)
    with place.client() as client:
        client.initialize()
        client.open(URI, "x = ")
        client.open("file:///w/warm.py", "y = ")
        ghost(client, 0, 4, "file:///w/warm.py")
        eventually(lambda: client.ask("glm/status")["state"] == "ready", 30)
        before = {line["id"] for line in place.noted("submit")}
        number = client.request("textDocument/inlineCompletion", at(URI, 0, 4))
        eventually(lambda: {line["id"] for line in place.noted("submit")} - before)
        (job,) = {line["id"] for line in place.noted("submit")} - before
        eventually(lambda: len([s for s in place.noted("step") if job in s["ids"]]) > 3)
        seen = len([s for s in place.noted("step") if job in s["ids"]])
        client.cancel(number)
        assert client.reply(number)["error"]["code"] == -32800
        eventually(lambda: job in {line["id"] for line in place.noted("cancel")})
        steps = [s for s in place.noted("step") if job in s["ids"]]
        # How many steps pass until the cancel arrives is the clock's; after it, at most two.
        assert len(steps) - seen < 20
        lines = list(map(json.loads, place.journal.read_text().splitlines()))
        cancelled = next(
            n for n, at in enumerate(lines) if at["op"] == "cancel" and at["id"] == job
        )
        assert not [at for at in lines[cancelled + 1 :] if job in at.get("ids", ())]


def test_a_storm_of_cancelled_requests_leaves_one_answer_each(place: Place) -> None:
    place.scripted(step_delay_s=0.005)
    with place.client() as client:
        client.initialize()
        client.open(URI, "")
        for column in range(300):
            client.change(URI, column + 2, insertion(0, column, "q"))
            number = client.request("textDocument/inlineCompletion", at(URI, 0, column + 1))
            if column % 3:
                client.cancel(number)
        item = ghost_soon(client, 0, 300)
        assert item["insertText"].startswith("q" * 100)
        client.cancel(number)
        assert client.stop() == 0
        client.check_one_reply_per_id()


def test_a_daemon_killed_under_a_completion(place: Place) -> None:
    """Fault 1: at most one notice, and the next completion works."""
    with place.client() as client:
        client.initialize()
        client.open(URI, "x = ")
        ghost_soon(client, 0, 4)
        (daemon,) = place.daemons()
        family = descendants(daemon.pid)
        daemon.send_signal(signal.SIGSTOP)  # so that the request is surely under way
        client.change(URI, 2, insertion(0, 4, "foo("))
        number = client.request("textDocument/inlineCompletion", at(URI, 0, 8))
        time.sleep(0.2)
        daemon.kill()
        killed_at = time.monotonic()
        assert client.reply(number)["result"]["items"] == []
        answered = time.monotonic() - killed_at
        assert answered < 2
        item = ghost_soon(client, 0, 8)
        assert item["insertText"].endswith(")")
        client.check_notices(1)
        assert_all_gone(family)
        assert len(place.daemons()) == 1
        assert client.stop() == 0
        client.check_one_reply_per_id()


def test_a_stopped_daemon_is_waited_for(place: Place) -> None:
    """Fault 7: SIGSTOP, then SIGCONT."""
    with place.client() as client:
        client.initialize()
        client.open(URI, "x = ")
        ghost_soon(client, 0, 4)
        (daemon,) = place.daemons()
        daemon.send_signal(signal.SIGSTOP)
        for version in range(2, 5):
            client.change(URI, version, insertion(0, 4, "z"))
            assert ghost(client, 0, 3 + version) is None
        client.check_notices(1)
        daemon.send_signal(signal.SIGCONT)
        ghost_soon(client, 0, 7)
        client.check_notices(1)
        assert place.daemons() == [daemon]


@pytest.mark.parametrize("fault", ["no folder", "no module"])
def test_a_daemon_that_cannot_be_started(place: Place, fault: str) -> None:
    """Empty lists, one status line, one notice; typing is never held up."""
    if fault == "no folder":
        place.folders.runtime.parent.mkdir(exist_ok=True)
        place.folders.runtime.write_text("a file in its place")
        settings: Any = SETTINGS
    else:
        settings = {**SETTINGS, "model": "/nowhere/at/all"}
    with place.client(settings=settings) as client:
        client.initialize()
        client.open(URI, "x = ")
        for version in range(2, 8):
            client.change(URI, version, insertion(0, 4, "z"))
            assert ghost(client, 0, 3 + version) is None
            time.sleep(0.05)
        client.wait_for(lambda m: m.get("method") == "window/showMessage", 40)
        status = client.ask("glm/status")
        assert status["message"]
        client.check_notices(1)
        assert client.stop() == 0
        client.check_one_reply_per_id()


def test_sixteen_servers_start_one_daemon(place: Place) -> None:
    """Fault 21."""
    clients = [place.client() for _ in range(16)]
    try:
        for client in clients:
            client.request("initialize", {"capabilities": {}, "initializationOptions": SETTINGS})
        for client in clients:
            client.reply(1, 60)
            client.notify("initialized", {})
            client.open(URI, "x = ")
        for client in clients:
            assert ghost_soon(client, 0, 4, 60) is not None
        assert len(place.daemons()) == 1
        assert len(place.noted("load")) == 1
        pids = {client.ask("glm/status")["state"] for client in clients}
        assert pids == {"ready"}
        for client in clients:
            client.check_notices(0)
    finally:
        for client in clients:
            client.stop()
    for client in clients:
        client.check_one_reply_per_id()


def test_a_daemon_that_ended_between_requests_is_started_again_without_a_word(
    place: Place,
) -> None:
    with place.client() as client:
        client.initialize()
        client.open(URI, "x = ")
        ghost_soon(client, 0, 4)
        (daemon,) = place.daemons()
        daemon.terminate()
        assert_all_gone([daemon])
        client.change(URI, 2, insertion(0, 4, "foo("))
        ghost_soon(client, 0, 8)
        client.check_notices(0)


def test_restart_by_command(place: Place) -> None:
    with place.client() as client:
        client.initialize()
        client.open(URI, "x = ")
        ghost_soon(client, 0, 4)
        (before,) = place.daemons()
        client.ask("workspace/executeCommand", {"command": "glm.server.restart"})
        ghost_soon(client, 0, 4)
        assert_all_gone([before])
        assert len(place.daemons()) == 1
        client.check_notices(0)


def test_a_workspace_cannot_choose_what_runs(place: Place, tmp_path: Path) -> None:
    """T-01: nothing of the opened folder is read, imported or executed."""
    canary = tmp_path / "canary"
    script = f"open({str(canary)!r}, 'w').close()\n"
    for name in ("sitecustomize.py", "usercustomize.py", "glm_daemon.py", "json.py", "httpx.py"):
        (tmp_path / name).write_text(script)
    (tmp_path / "python3").write_text(f"#!/bin/sh\ntouch {canary}\n")
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode" / "settings.json").write_text('{"glm.daemon.url": "http://127.0.0.1:1"}')
    (tmp_path / ".glm-lsp.toml").write_text('model = "evil"')
    (tmp_path / ".env").write_text("GLM_LSP_RUNTIME=/evil")
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        client = place.client()
    finally:
        os.chdir(before)
    with client:
        client.initialize(rootUri=tmp_path.as_uri())
        client.open((tmp_path / "a.py").as_uri(), "x = ")
        client.open(URI, "x = ")
        ghost_soon(client, 0, 4)
        (daemon,) = place.daemons()
        assert daemon.cwd() == "/"
        assert not canary.exists()


def test_a_task_is_streamed_from_the_daemon(place: Place) -> None:
    with place.client() as client:
        client.initialize(workspaceFolders=[{"uri": "file:///w", "name": "w"}])
        client.open(URI, "def f():\n    return 1\n")
        params = {"token": "t", "task": "explain", "textDocument": {"uri": URI}}
        answer = client.ask("glm/chat", params)
        assert answer["text"].startswith("fake_answer_")
        assert answer["model"] == "fake"
        assert client.stop() == 0
        client.check_one_reply_per_id()
