"""A real daemon in its own process and its own folders, for tests of any unit.

    with running_daemon(script=FakeScript(step_delay_s=0.01)) as daemon:
        answer = daemon.complete("x = foo(")

The folders are short-named ones under /tmp (a socket's path must fit in 100 bytes) and private
to the test. Leaving the block stops the daemon and checks that no process of it is left (I5).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from glm_protocol.answers import Chunk
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.folders import Folders
from glm_runtime.fake_engine import FakeScript
from tests.support.invariants import assert_all_gone, descendants

START_S = 20.0
STOP_S = 12.0


def fresh_folders() -> Folders:
    """Private home and runtime folders that exist nowhere else; the caller removes them."""
    root = Path(tempfile.mkdtemp(prefix="glm-", dir="/tmp"))
    return Folders(home=root / "home", runtime=root / "run")


def daemon_environment(
    folders: Folders, script: FakeScript | None = None, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of a daemon that never meets the user's own."""
    script_variables = script.to_environment() if script else {}
    return {
        **os.environ,
        "GLM_LSP_HOME": str(folders.home),
        "GLM_LSP_RUNTIME": str(folders.runtime),
        **script_variables,
        **(extra or {}),
    }


def completion_request(prefix: str = "x = foo(", **fields: Any) -> CompletionRequest:
    """A small request; `fields` replace its own."""
    context = CodeContext(path="a.py", language="python", prefix=prefix, suffix="")
    return CompletionRequest(
        **{"id": "1", "document": "file:///a.py", "context": context, **fields}
    )


class DaemonProcess:
    """One `glm-lsp serve`. `client` is httpx on its unix socket."""

    def __init__(
        self,
        folders: Folders,
        args: Sequence[str] = ("--model", "fake"),
        *,
        script: FakeScript | None = None,
        environ: Mapping[str, str] | None = None,
        output: int | None = None,
    ) -> None:
        """`output` is a descriptor for stdout and stderr in place of a file of ours."""
        self.folders = folders
        with tempfile.TemporaryFile() as file:
            self._output_fd = os.dup(file.fileno())
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "glm_daemon.main", *args],
                stdin=subprocess.DEVNULL,
                stdout=file if output is None else output,
                stderr=file if output is None else output,
                env=daemon_environment(folders, script, environ),
            )
        transport = httpx.HTTPTransport(uds=str(folders.socket))
        self.client = httpx.Client(
            transport=transport, base_url="http://glm-lsp", trust_env=False, timeout=30.0
        )

    @property
    def output(self) -> str:
        """What it wrote to stdout and stderr so far."""
        size = os.fstat(self._output_fd).st_size
        return os.pread(self._output_fd, size, 0).decode("utf-8", "replace")

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until_there(self) -> None:
        """Until it answers /health; raises AssertionError with its last words if it ends."""
        self._wait_for("/health")

    def wait_ready(self) -> None:
        """Until the default model is loaded."""
        self._wait_for("/ready")

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.client.get("/glm/v1/status").json()
        return status

    def worker_pid(self) -> int:
        """Of the first engine, from the process table."""
        return int(descendants(self.pid)[1].pid)

    def chunks(self, request: CompletionRequest) -> Generator[Chunk, None, None]:
        """The answer of the structured route, piece by piece. Raises httpx.HTTPStatusError."""
        with self.client.stream("POST", "/glm/v1/complete", json=request.to_wire()) as answer:
            if answer.status_code != 200:
                answer.read()
                answer.raise_for_status()
            for line in answer.iter_lines():
                yield Chunk.from_wire(httpx.Response(200, content=line).json())

    def complete(self, prefix: str = "x = foo(", **fields: Any) -> str:
        """The text of one completion."""
        return "".join(chunk.text for chunk in self.chunks(completion_request(prefix, **fields)))

    def terminate(self) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        self.process.kill()
        self.wait()

    def wait(self, timeout: float = STOP_S) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        return self.process.wait(timeout)

    def close(self) -> None:
        """Kill it if need be, and free what we hold of it."""
        if self.process.poll() is None:
            self.kill()
        self.client.close()
        os.close(self._output_fd)

    def log(self) -> str:
        return self.folders.log.read_text(encoding="utf-8")

    def _listens(self) -> bool:
        """Asked before httpx, which leaks a socket when it cannot connect."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.folders.socket)) == 0

    def _wait_for(self, path: str) -> None:
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up:
            if self._listens():
                with contextlib.suppress(httpx.TransportError):
                    if self.client.get(path).status_code == 200:
                        return
            if self.process.poll() is not None:
                raise AssertionError(f"exit code {self.process.returncode}: {self.output}")
            time.sleep(0.02)
        raise AssertionError(f"{path} was not 200 within {START_S} s")


@contextlib.contextmanager
def running_daemon(
    *args: str,
    script: FakeScript | None = None,
    environ: Mapping[str, str] | None = None,
    ready: bool = True,
) -> Iterator[DaemonProcess]:
    """A daemon with the fake model; stopped, with all its workers, when the block ends."""
    folders = fresh_folders()
    daemon = DaemonProcess(folders, ("--model", "fake", *args), script=script, environ=environ)
    try:
        daemon.wait_until_there()
        if ready:
            daemon.wait_ready()
        yield daemon
    finally:
        family = descendants(daemon.pid)
        if daemon.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.terminate()
        daemon.close()
        shutil.rmtree(folders.runtime.parent, ignore_errors=True)
    assert_all_gone(family)
