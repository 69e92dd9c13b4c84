"""An engine may rest when nothing was asked for a while, and before its worker ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

import pytest

from glm_daemon import worker
from glm_daemon.pipe import encode
from glm_protocol.answers import Chunk
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.errors import GlmError
from glm_protocol.requests import AnyRequest
from glm_runtime.engine import EngineInfo


class Worked:
    """Answers at once, and says what it did."""

    info = EngineInfo(
        model="m", family="f", architecture="a", device="cpu", dtype="d",
        context_length=1, memory_bytes=1, capabilities=(),
    )  # fmt: skip

    def __init__(self) -> None:
        self.did: list[str] = []
        self.rested = threading.Event()
        self._asked: list[str] = []

    @property
    def busy(self) -> bool:
        return bool(self._asked)

    def submit(self, request: AnyRequest, *, tenant: str = "") -> str:
        self._asked.append(request.id)
        return request.id

    def step(self) -> Sequence[tuple[str, Chunk | GlmError]]:
        self.did.append("step")
        return [(self._asked.pop(), Chunk(text="x"))]

    def cancel(self, request_id: str) -> None: ...

    def rest(self) -> None:
        self.did.append("rest")
        self.rested.set()


def test_it_rests_once_after_work_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "QUIET_S", 0.01)
    engine, (ours, its) = Worked(), socket.socketpair()

    def live() -> None:
        with pytest.raises(EOFError):
            worker.serve(worker.PipeEnd(its), engine)

    thread = threading.Thread(target=live)
    with ours, its:
        thread.start()
        context = CodeContext(path="a.py", language="python", prefix="x", suffix="")
        asked = CompletionRequest(id="r", document="d", context=context).to_wire()
        ours.sendall(encode({"op": "submit", "kind": "complete", "request": asked}))
        assert engine.rested.wait(10)
        for number in range(2):  # a ping is no work
            ours.sendall(encode({"op": "ping", "n": number}))
            assert ours.recv(1 << 16)
        ours.shutdown(socket.SHUT_WR)
        thread.join(10)
    assert engine.did == ["step", "rest", "rest"]
