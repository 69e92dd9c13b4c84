"""The HTTP client: whom it speaks to, what it understands, how it starts and takes over."""

from __future__ import annotations

import asyncio
import os
import socket as sockets
from typing import Any

import pytest

from glm_client.daemon_address import LocalDaemon, TeamDaemon, make_private_folder, socket_is_there
from glm_client.daemon_answers import lines_of
from glm_client.daemon_client import DaemonClient
from glm_client.daemon_process import daemon_environment, source_roots, start_lock
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.errors import (
    DaemonUnreachable,
    GlmError,
    ModelUnknown,
    Overloaded,
    ProtocolMismatch,
)
from glm_protocol.folders import Folders
from glm_protocol.handshake import CLIENT_BUILD_HEADER, CLIENT_PROTOCOL_HEADER
from tests.client.stub_daemon import StubDaemon

REQUEST = CompletionRequest(
    id="1",
    document="d",
    context=CodeContext(path="a.py", language="python", prefix="x = ", suffix=""),
    deadline_ms=500,
)


@pytest.fixture
async def client(folders: Folders) -> Any:
    async with DaemonClient(LocalDaemon(folders=folders)) as made:
        yield made


async def test_a_completion_by_pieces_and_as_a_whole(
    daemon: StubDaemon, client: DaemonClient
) -> None:
    daemon.text = "one\u2028two\x0cthree\x85😀"
    assert (await client.connect()).pid == os.getpid()
    assert await client.ready()
    assert (await client.status())["pid"] == os.getpid()
    texts = [chunk.text async for chunk in client.stream(REQUEST)]
    assert "".join(texts) == daemon.text
    assert len(texts) == 4
    done = await client.whole(REQUEST)
    assert (done.text, done.end.model) == (daemon.text, "stub")
    assert {CLIENT_BUILD_HEADER, CLIENT_PROTOCOL_HEADER} <= set(daemon.headers[-1])
    assert daemon.headers[-1]["host"] == "glm-lsp"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ((404, {"error": {"code": "model_unknown", "message": "m", "remedy": "r"}}), ModelUnknown),
        ((429, {"error": {"code": "overloaded", "message": "m", "remedy": "r"}}), Overloaded),
        ((500, {}), GlmError),
        ((502, []), GlmError),
        ((418, "text"), GlmError),
    ],
)
async def test_errors_before_the_answer(
    daemon: StubDaemon, client: DaemonClient, error: Any, kind: type[GlmError]
) -> None:
    daemon.error = error
    with pytest.raises(kind):
        await client.whole(REQUEST)
    daemon.error = None
    assert (await client.whole(REQUEST)).text == "completed"


async def test_an_error_within_the_answer(daemon: StubDaemon, client: DaemonClient) -> None:
    daemon.error_line = {"error": {"code": "overloaded", "message": "m", "remedy": "r"}}
    with pytest.raises(Overloaded):
        await client.whole(REQUEST)


@pytest.mark.parametrize(
    "answer",
    [b"", b"\n\n", b"nonsense\n", b"[]\n", b"1\n", b'{"text": 1, "end": {}}\n', b'{"end":null}\n',
     b'{"text":"a"}\n', b'{"text":"', b"[" * 10_000, b"\xff\xfe\n", b"x" * 5_000_000],
)  # fmt: skip
async def test_answers_that_cannot_be_read(
    daemon: StubDaemon, client: DaemonClient, answer: bytes
) -> None:
    daemon.raw_answer = answer
    with pytest.raises(DaemonUnreachable):
        await client.whole(REQUEST)


async def test_a_cut_answer(daemon: StubDaemon, client: DaemonClient) -> None:
    daemon.cut_after = 1
    with pytest.raises(DaemonUnreachable) as found:
        await client.whole(REQUEST)
    assert not isinstance(found.value.__cause__, TimeoutError | ConnectionRefusedError)


async def test_a_silent_daemon_is_told_from_an_absent_one(
    daemon: StubDaemon, client: DaemonClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glm_client.daemon_client.GRACE_S", 0.0)
    daemon.delay_s = 5
    with pytest.raises(DaemonUnreachable) as silent:
        await client.whole(REQUEST)
    assert isinstance(silent.value.__cause__, TimeoutError)
    await daemon.stop()
    with pytest.raises(DaemonUnreachable) as absent:
        await client.whole(REQUEST)
    assert isinstance(absent.value.__cause__, ConnectionRefusedError)


async def test_leaving_the_iterator_closes_the_stream(
    daemon: StubDaemon, client: DaemonClient
) -> None:
    daemon.delay_s = 0.05
    daemon.pieces = 9
    stream = client.stream(REQUEST)
    async for _ in stream:
        break
    await stream.aclose()
    async with asyncio.timeout(2):
        while not daemon.gone:
            await asyncio.sleep(0.005)


async def test_without_start_an_absent_daemon_is_said_so(client: DaemonClient) -> None:
    with pytest.raises(DaemonUnreachable, match="No daemon is running"):
        await client.connect(start=False)


@pytest.mark.parametrize("body", ["file", "link", "folder", "open socket"])
def test_a_foreign_object_in_the_socket_s_place_is_refused(folders: Folders, body: str) -> None:
    folders.runtime.mkdir(mode=0o700, parents=True)
    assert not socket_is_there(folders.socket)
    match body:
        case "file":
            folders.socket.touch(0o600)
        case "link":
            folders.socket.symlink_to("/tmp/elsewhere")
        case "folder":
            folders.socket.mkdir(0o700)
        case _:
            with sockets.socket(sockets.AF_UNIX) as listener:
                listener.bind(str(folders.socket))
            folders.socket.chmod(0o666)
    with pytest.raises(DaemonUnreachable, match="not a private socket"):
        socket_is_there(folders.socket)


@pytest.mark.parametrize("mode", [0o755, 0o711, 0o770])
def test_a_runtime_folder_that_others_enter_is_refused(folders: Folders, mode: int) -> None:
    folders.runtime.mkdir(parents=True)
    folders.runtime.chmod(mode)
    with pytest.raises(DaemonUnreachable, match="chmod 700"):
        make_private_folder(folders.runtime)


def test_a_runtime_folder_that_is_a_link_is_refused(folders: Folders) -> None:
    folders.runtime.parent.mkdir(parents=True, exist_ok=True)
    (folders.runtime.parent / "elsewhere").mkdir(mode=0o700)
    folders.runtime.symlink_to(folders.runtime.parent / "elsewhere")
    with pytest.raises(DaemonUnreachable, match="not a folder of yours"):
        make_private_folder(folders.runtime)


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder away")
def test_a_folder_of_another_user_is_refused(folders: Folders) -> None:
    folders.runtime.mkdir(mode=0o700, parents=True)
    os.chown(folders.runtime, 65534, 65534)
    with pytest.raises(DaemonUnreachable, match="not a folder of yours"):
        make_private_folder(folders.runtime)


async def test_another_build_is_asked_to_leave(
    daemon: StubDaemon, client: DaemonClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.build = "older"
    started: list[bool] = []

    async def start(*_: object) -> None:
        started.append(True)
        daemon.build = client._build
        daemon.state = "running"
        await daemon.start()

    monkeypatch.setattr(client, "_start", start)
    connecting = asyncio.ensure_future(client.connect())
    async with asyncio.timeout(5):
        while daemon.state != "draining":
            await asyncio.sleep(0.005)
    await daemon.stop()
    health = await connecting
    assert health.build == client._build
    assert not client.other_build
    assert (started, daemon.calls.count("/glm/v1/shutdown")) == ([True], 1)


@pytest.mark.parametrize("same_protocol", [True, False])
async def test_two_builds_do_not_fight_for_ever(
    daemon: StubDaemon, client: DaemonClient, same_protocol: bool
) -> None:
    """The other editor restarts its daemon each time that we ask it to leave."""
    daemon.build = "other"
    daemon.protocol += 0 if same_protocol else 1

    async def restart_always() -> None:
        while True:
            daemon.state = "running"
            await asyncio.sleep(0.01)

    restarting = asyncio.ensure_future(restart_always())
    try:
        if same_protocol:
            assert (await client.connect()).build == "other"
            assert client.other_build
        else:
            with pytest.raises(ProtocolMismatch):
                await client.connect()
    finally:
        restarting.cancel()
    assert daemon.calls.count("/glm/v1/shutdown") == 2


async def test_looking_without_starting_leaves_another_build_alone(
    daemon: StubDaemon, client: DaemonClient
) -> None:
    daemon.build = "other"
    assert (await client.connect(start=False)).build == "other"
    assert client.other_build
    assert "/glm/v1/shutdown" not in daemon.calls


async def test_a_daemon_that_ends_at_once_is_named_by_its_last_words(
    client: DaemonClient, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glm_client.daemon_process.MODULE", "no_such_module_of_ours")
    with pytest.raises(DaemonUnreachable, match="No module named"):
        await client.connect()
    assert folders.log.stat().st_mode & 0o777 == 0o600
    assert folders.runtime.stat().st_mode & 0o777 == 0o700


def test_the_start_lock_has_one_holder(folders: Folders) -> None:
    folders.runtime.mkdir(mode=0o700, parents=True)
    with start_lock(folders) as first, start_lock(folders) as second:
        assert (first, second) == (True, False)
    with start_lock(folders) as third:
        assert third


def test_the_daemon_s_environment_is_ours(folders: Folders) -> None:
    environ = {
        **{"PATH": "/bin", "HOME": "/h", "GLM_FAKE_SCRIPT": "{}", "CUDA_VISIBLE_DEVICES": "1"},
        **{"PYTHONPATH": "/evil", "PYTHONSTARTUP": "/evil", "LD_PRELOAD": "/evil", "X": "1"},
        **{"GLM_LSP_TOKEN": "secret", "HTTPS_PROXY": "http://evil", "BASH_ENV": "/evil"},
    }
    made = daemon_environment(folders, environ)
    assert "evil" not in str(made)
    assert "secret" not in str(made)
    assert {"PATH", "HOME", "GLM_FAKE_SCRIPT", "CUDA_VISIBLE_DEVICES"} <= set(made)
    assert made["GLM_LSP_RUNTIME"] == str(folders.runtime)
    assert made.get("PYTHONPATH", "").split(os.pathsep) == (source_roots() or [""])


@pytest.mark.parametrize("token", ["a secret token", ""])
async def test_a_team_s_daemon_gets_the_token_in_its_header_alone(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # must not be used
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    stub = StubDaemon(folders)
    stub.build = "the team's"
    url = await stub.start_tcp()
    async with DaemonClient(TeamDaemon(url=url, token=token)) as team:
        assert (await team.connect()).build == "the team's"
        assert (await team.whole(REQUEST)).text == "completed"
        stub.protocol = 99
        with pytest.raises(ProtocolMismatch):
            await team.connect()
        await stub.stop()
        with pytest.raises(DaemonUnreachable):
            await team.connect()
    assert not folders.runtime.exists()  # nothing is started here
    for headers in stub.headers:
        assert headers.get("authorization") == (f"Bearer {token}" if token else None)
    assert "/glm/v1/shutdown" not in stub.calls
    assert token not in repr(TeamDaemon(url=url, token=token)) or not token


async def test_lines_end_at_line_feeds_alone() -> None:
    async def pieces() -> Any:
        for piece in (b"a\x0bb", b"\xe2\x80\xa8c\n", b"\n", b"d\r", b"\ne"):
            yield piece

    found = [line async for line in lines_of(pieces())]
    assert found == [b"a\x0bb\xe2\x80\xa8c", b"d\r", b"e"]
