"""The process around one engine: reads messages, steps the engine, writes chunks.

Started by `worker_process` as `python -P -m glm_daemon.worker FD PARENT`. One thread: messages
are read between steps, so a cancel is seen after the step in progress and a ping that is
answered says that the engine is not stuck. No policy here: who waits, who is retried and when
to restart are the daemon's to decide.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable

from glm_daemon.parent_death import die_with_parent, offer_to_oom_killer
from glm_daemon.pipe import Decoder, Message, encode
from glm_protocol.answers import Chunk
from glm_protocol.errors import EngineFailed, GlmError, ModelUnusable
from glm_protocol.requests import AnyRequest, request_from_wire
from glm_runtime.engine import Engine, EngineOptions, Rests

WorkerEngine = Engine[AnyRequest, Chunk]
READ_SIZE = 1 << 18
QUIET_S = 3.0  # after the last work, until an engine may rest


class PipeEnd:
    """The worker's end of the socket pair. The end of file raises EOFError."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._decoder = Decoder()

    def send(self, message: Message) -> None:
        self._connection.sendall(encode(message))

    def receive(self, *, wait: float | None) -> list[Message]:
        """Messages at hand; else blocks until some bytes came, `wait` seconds or for ever."""
        readable, _, _ = select.select([self._connection], [], [], wait)
        if not readable:
            return []
        data = self._connection.recv(READ_SIZE)
        if not data:
            raise EOFError
        return self._decoder.feed(data)


def load(message: Message) -> WorkerEngine:
    """The engine that a `load` message asks for. Raises GlmError, or whatever the loader does."""
    module_name, _, function_name = str(message["loader"]).partition(":")
    try:
        loader: Callable[[EngineOptions], WorkerEngine] = getattr(
            importlib.import_module(module_name), function_name
        )
    except ImportError as error:
        raise ModelUnusable(
            f"The packages that run this model are not installed ({error.name or module_name}).",
            remedy="Install them: `pip install 'glm-lsp[local]'`.",
        ) from error
    return loader(EngineOptions(**message["options"]))


def serve(pipe: PipeEnd, engine: WorkerEngine) -> None:
    """Step the engine until the daemon closes the pipe (EOFError) or a step raises.

    `engine.info` is said again when it changed: a missing operator may have moved the model."""
    told = engine.info
    rest_at: float | None = None  # None: it rested, and nothing was done since
    while True:
        try:
            for message in pipe.receive(wait=_patience(engine, rest_at)):
                _obey(message, pipe, engine)
        except EOFError:
            _rest(engine)
            raise
        if engine.busy:
            for request_id, outcome in engine.step():
                pipe.send(_outcome(request_id, outcome))
            if engine.info != told:
                told = engine.info
                pipe.send({"op": "info", "info": told.to_wire()})
            rest_at = time.monotonic() + QUIET_S
        elif rest_at is not None and time.monotonic() >= rest_at:
            _rest(engine)
            rest_at = None


def _patience(engine: WorkerEngine, rest_at: float | None) -> float | None:
    """Seconds to wait for a message; None: for ever."""
    if engine.busy:
        return 0.0
    return None if rest_at is None else max(0.0, rest_at - time.monotonic())


def _rest(engine: WorkerEngine) -> None:
    if isinstance(engine, Rests):
        engine.rest()


def _obey(message: Message, pipe: PipeEnd, engine: WorkerEngine) -> None:
    match message["op"]:
        case "submit":
            request = request_from_wire(message["kind"], message["request"])
            try:
                engine.submit(request, tenant=str(message.get("tenant", "")))
            except GlmError as error:
                pipe.send(_outcome(request.id, error))
        case "cancel":
            engine.cancel(str(message["id"]))
            pipe.send({"op": "cancelled", "id": message["id"]})
        case "ping":
            pipe.send({"op": "pong", "n": message["n"]})


def _outcome(request_id: str, outcome: Chunk | GlmError) -> Message:
    if isinstance(outcome, GlmError):
        return {"op": "error", "id": request_id, **outcome.to_wire()}
    return {"op": "chunk", "id": request_id, "chunk": outcome.to_wire()}


def _log_fault(error: BaseException) -> None:
    """Where it happened and of what type; an exception's message may quote the user's text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    sys.stderr.write(f"{type(error).__name__}\n{frames}")


def _as_engine_failure(error: Exception) -> GlmError:
    if isinstance(error, GlmError):
        return error
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return EngineFailed("The engine ran out of memory.")
    return EngineFailed(f"The engine failed ({type(error).__name__}).")


def run(connection: socket.socket) -> int:
    """Life of a worker: wait for `load`, answer `ready` or `failed`, then serve. The edge."""
    pipe = PipeEnd(connection)
    stage = "failed"
    try:
        messages: list[Message] = []
        while not messages:
            messages = pipe.receive(wait=None)
        engine = load(messages[0])
        pipe.send({"op": "ready", "info": engine.info.to_wire()})
        stage = "broken"
        for message in messages[1:]:
            _obey(message, pipe, engine)
        serve(pipe, engine)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return 0
    except Exception as error:  # noqa: BLE001, the worker's edge
        if not isinstance(error, GlmError):
            _log_fault(error)
        failure = _as_engine_failure(error)
        pipe.send({"op": stage, **failure.to_wire(), "type": type(error).__name__})
    return 1


def main(argv: list[str]) -> int:
    faulthandler.enable()
    fd, parent = int(argv[0]), int(argv[1])
    os.dup2(2, 1)  # a library's banner on stdout goes to the log, never between messages
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is the daemon's to handle
    die_with_parent(parent)
    offer_to_oom_killer()
    return run(socket.socket(fileno=fd))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
