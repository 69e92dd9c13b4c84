"""Whole daemons in their own processes: one at a time, an orderly end, nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from glm_daemon.main import EXIT_ALREADY_RUNNING, EXIT_CONFIG
from glm_runtime.fake_engine import FakeScript
from tests.support.daemon_process import (
    DaemonProcess,
    completion_request,
    daemon_environment,
    fresh_folders,
    running_daemon,
)
from tests.support.invariants import assert_all_gone, assert_no_canary, descendants

pytestmark = pytest.mark.e2e

CANARY = "canary-7f3a9c51"
SLOW = FakeScript(text="x" * 30_000, step_delay_s=0.02)


def test_sixteen_at_once_are_one() -> None:
    folders = fresh_folders()
    daemons = [DaemonProcess(folders) for _ in range(16)]
    try:
        daemons[0].client.timeout = httpx.Timeout(20.0)
        give_up = time.monotonic() + 30
        while sum(daemon.process.poll() is None for daemon in daemons) > 1:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        [winner] = [daemon for daemon in daemons if daemon.process.poll() is None]
        winner.wait_until_there()
        assert winner.client.get("/health").json()["pid"] == winner.pid
        losers = [daemon for daemon in daemons if daemon is not winner]
        assert {daemon.wait() for daemon in losers} == {EXIT_ALREADY_RUNNING}
        assert all(daemon.output.count("\n") == 1 for daemon in losers)
        assert f"already running (pid {winner.pid})" in losers[0].output
        assert winner.complete()
        assert winner.terminate() == 0
    finally:
        for daemon in daemons:
            daemon.close()
        shutil.rmtree(folders.runtime.parent)


def test_sigterm_finishes_the_work_at_hand_and_leaves_nothing() -> None:
    script = FakeScript(text="x" * 400, step_delay_s=0.02)
    with running_daemon(script=script) as daemon:
        assert oct(daemon.folders.socket.stat().st_mode & 0o777) == "0o600"
        chunks = daemon.chunks(completion_request(max_tokens=100))
        received = [next(chunks)]
        family = descendants(daemon.pid)
        assert len(family) == 2
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        transport = httpx.HTTPTransport(uds=str(daemon.folders.socket))
        with httpx.Client(transport=transport, base_url="http://glm-lsp") as other:
            assert other.get("/health").json()["state"] == "draining"
            refused = other.post("/glm/v1/complete", json=completion_request().to_wire())
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "not_ready"
            assert "retry-after" in refused.headers
        received += chunks
        assert len("".join(chunk.text for chunk in received)) == 400
        assert daemon.wait() == 0
        assert not daemon.folders.socket.exists()
        assert_all_gone(family, within=1.0)


def test_a_second_signal_ends_at_once() -> None:
    with running_daemon(script=SLOW) as daemon:
        family = descendants(daemon.pid)
        chunks = daemon.chunks(completion_request(max_tokens=4096))
        next(chunks)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        began = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait() == 1
        assert time.monotonic() - began < 1.0
        assert not daemon.folders.socket.exists()
        assert_all_gone(family, within=1.0)
        chunks.close()


def test_the_shutdown_route() -> None:
    with running_daemon() as daemon:
        assert daemon.client.post("/glm/v1/shutdown").status_code == 202
        assert daemon.wait() == 0
        assert not daemon.folders.socket.exists()


def test_a_daemon_killed_takes_its_worker_along_and_the_next_one_serves() -> None:
    with running_daemon(script=SLOW) as daemon:
        family = descendants(daemon.pid)
        chunks = daemon.chunks(completion_request(max_tokens=4096))
        next(chunks)
        daemon.kill()
        with pytest.raises(httpx.TransportError):
            list(chunks)
        assert_all_gone(family, within=1.0)
        assert daemon.folders.socket.exists()  # stale
        following = DaemonProcess(daemon.folders)
        try:
            following.wait_ready()
            assert following.complete()
            assert following.terminate() == 0
        finally:
            following.close()


def test_a_worker_killed_in_the_middle_fails_that_request_and_the_next_works() -> None:
    with running_daemon(script=SLOW) as daemon:
        request = completion_request(max_tokens=4096, temperature=0.7)
        answer: list[str] = []
        with daemon.client.stream("POST", "/glm/v1/complete", json=request.to_wire()) as stream:
            for line in stream.iter_lines():
                if not answer:
                    os.kill(daemon.worker_pid(), signal.SIGKILL)
                    killed = time.monotonic()
                answer.append(line)
        assert time.monotonic() - killed < 1.0
        assert json.loads(answer[-1])["error"]["code"] == "engine_failed"
        assert daemon.complete(max_tokens=2)
        assert time.monotonic() - killed < 5.0
        assert daemon.status()["engines"][0]["restarts"] == 1


def test_idle_exit() -> None:
    with running_daemon("--idle-exit", "0.6") as daemon:
        began = time.monotonic()
        while time.monotonic() - began < 1.0:
            assert daemon.complete()
            time.sleep(0.2)
        # Its connection is still open: one that is merely kept alive is no work.
        assert daemon.wait() == 0
        assert not daemon.folders.socket.exists()


def test_a_daemon_whose_socket_is_gone_ends() -> None:
    with running_daemon() as daemon:
        daemon.client.close()
        daemon.folders.socket.unlink()
        assert daemon.wait() == 0


def test_a_foreign_object_in_place_of_the_socket_is_refused() -> None:
    folders = fresh_folders()
    folders.runtime.mkdir(mode=0o700)
    folders.socket.write_text("mine")
    daemon = DaemonProcess(folders)
    try:
        assert daemon.wait() == EXIT_CONFIG
        assert "not a socket of ours" in daemon.output
        assert folders.socket.read_text() == "mine"
    finally:
        daemon.close()
        shutil.rmtree(folders.runtime.parent)


def test_tcp_with_its_token_from_a_file_or_the_environment(tmp_path: Path) -> None:
    token = "0123456789abcdef-secret"
    file = tmp_path / "token"
    file.write_text(token + "\n")
    file.chmod(0o600)
    args = ("--tcp", "127.0.0.1:0")
    from_file = running_daemon(*args, "--token-file", str(file))
    from_environment = running_daemon(*args, environ={"GLM_LSP_TOKEN": token})
    for starting in (from_file, from_environment):
        with starting as daemon:
            port = daemon.log().partition("TCP port ")[2].split()[0]
            url = f"http://127.0.0.1:{port}/health"
            assert httpx.get(url, trust_env=False).status_code == 401
            headers = {"authorization": f"Bearer {token}"}
            assert httpx.get(url, headers=headers, trust_env=False).status_code == 200
            worker = Path(f"/proc/{daemon.worker_pid()}/environ")
            if worker.exists():
                assert token.encode() not in worker.read_bytes()
            assert token not in " ".join(daemon.process.args)  # type: ignore[arg-type]
            assert_no_canary(daemon.folders.runtime, [token])


def test_no_text_of_the_user_in_any_file() -> None:
    script = FakeScript(text=f"{CANARY}-answer " * 4)
    with running_daemon("--log-level", "debug", script=script) as daemon:
        context_canary = f"x = '{CANARY}-prefix'("
        assert CANARY in daemon.complete(context_canary, document=f"{CANARY}-document")
        bodies = [
            {"prompt": f"{CANARY}-prompt", "max_tokens": 10},
            {"prompt": f"{CANARY}-prompt", "max_tokens": f"{CANARY}-value"},
            {"prompt": f"{CANARY}-prompt", "model": f"{CANARY}-model"},
        ]
        answers = [daemon.client.post("/v1/completions", json=body) for body in bodies]
        assert [answer.status_code for answer in answers] == [200, 400, 404]
        assert CANARY not in answers[1].text  # a model is named by an unknown name: it is no text
        daemon.client.post("/glm/v1/complete", json={CANARY: CANARY})
        assert CANARY not in daemon.client.get("/metrics").text
        assert CANARY not in daemon.client.get("/glm/v1/status").text
        assert daemon.terminate() == 0
        assert "job " in daemon.output
        assert CANARY not in daemon.output
        assert assert_no_canary(daemon.folders.runtime, [CANARY]) > 100


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    folders = fresh_folders()
    folders.runtime.mkdir(mode=0o700)
    folders.log.mkdir()
    daemon = DaemonProcess(folders)
    try:
        daemon.wait_ready()
        assert daemon.complete()
        assert daemon.terminate() == 0
        assert "no log file" in daemon.output
    finally:
        daemon.close()
        shutil.rmtree(folders.runtime.parent)


def test_the_daemon_imports_no_torch() -> None:
    code = (
        "import sys, glm_daemon.main, glm_daemon.daemon, glm_daemon.worker_process\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in"
        " ('torch', 'transformers', 'numpy', 'glm_codegen', 'glm_vision')]\n"
        "assert not bad, bad"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_help_reads_well() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "glm_daemon.main", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for word in ("--model", "--tcp", "--token-file", "--idle-exit", "Exit codes"):
        assert word in done.stdout


def test_many_clients_at_once_are_all_answered() -> None:
    with running_daemon(script=FakeScript(step_delay_s=0.001)) as daemon:

        def one(number: int) -> int:
            request = completion_request(document=str(number), id=str(number))
            body = request.to_wire()
            return daemon.client.post("/glm/v1/complete", json=body).status_code

        with ThreadPoolExecutor(32) as pool:
            statuses = list(pool.map(one, range(200)))
        assert set(statuses) <= {200, 429}
        assert statuses.count(200) >= 150
        assert daemon.complete()


def test_environment_helper_keeps_to_its_folders() -> None:
    folders = fresh_folders()
    environment = daemon_environment(folders)
    shutil.rmtree(folders.runtime.parent)
    assert environment["GLM_LSP_RUNTIME"].startswith("/tmp/glm-")


def test_a_stderr_that_nobody_reads_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 512)
    os.set_blocking(writing, True)
    folders = fresh_folders()
    daemon = DaemonProcess(folders, output=writing)
    try:
        daemon.wait_ready()
        assert daemon.complete()
        assert daemon.terminate() == 0
        assert "job " in daemon.log()
    finally:
        daemon.close()
        os.close(reading)
        os.close(writing)
        shutil.rmtree(folders.runtime.parent)


def as_nobody(act: Callable[[], int]) -> int:
    """Exit code of `act` in a child process of user 65534."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads, Python 3.12
        pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            code = act()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_another_user_gets_nothing_even_when_the_modes_are_wide_open() -> None:
    def ask() -> int:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(path)
            except PermissionError:
                return 1
            try:
                client.sendall(b"GET /health HTTP/1.1\r\nhost: glm-lsp\r\n\r\n")
                return 2 if client.recv(100) == b"" else 0
            except ConnectionError:
                return 2

    with running_daemon() as daemon:
        path = str(daemon.folders.socket)
        daemon.folders.runtime.parent.chmod(0o711)
        assert as_nobody(ask) == 1  # by the folder
        daemon.folders.runtime.chmod(0o711)
        assert as_nobody(ask) == 1  # by the socket
        daemon.folders.socket.chmod(0o666)
        assert as_nobody(ask) == 2  # by the peer's uid
        assert daemon.complete()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_running_out_of_descriptors_passes() -> None:
    with running_daemon() as daemon:
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (40, 40))
        with contextlib.ExitStack() as stack:
            for _ in range(60):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.connect(str(daemon.folders.socket))
            time.sleep(0.2)
        assert daemon.complete()
