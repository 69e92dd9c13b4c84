"""Keeps one engine's worker alive: starts, watches, restarts with back-off, gives up in a loop.

    stopped ─ start ─> starting ─ ready ─> ready ─┐
                          │  ▲                    │ dies, hangs, breaks
                          │  └── backing_off <────┤
                 load     ▼                       ▼ five times in a minute
                 refused  unusable              failed

`unusable` and `failed` end by `start` alone (a new daemon, or the restart route). What runs on
the worker is the listener's; this class never sees a request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from enum import StrEnum
from typing import Protocol

from glm_daemon.device_lease import DeviceLease
from glm_daemon.pipe import Message
from glm_daemon.serve_options import Patience
from glm_daemon.worker_process import WorkerProcess
from glm_protocol.errors import (
    BadRequest,
    EngineFailed,
    GlmError,
    ModelUnusable,
    from_wire,
)
from glm_runtime.engine import EngineInfo, EngineOptions

LOG = logging.getLogger(__name__)


class EngineState(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing_off"
    FAILED = "failed"
    UNUSABLE = "unusable"


class WorkerListener(Protocol):
    """Who is told what becomes of the worker."""

    def worker_ready(self) -> None: ...

    def worker_said(self, message: Message) -> None: ...

    def worker_down(self) -> None:
        """It is gone: being restarted, or for good (`Supervisor.refusal` tells)."""
        ...


class Supervisor:
    """One engine's worker, from the first start to the last."""

    def __init__(
        self,
        *,
        loader: str,
        options: EngineOptions,
        listener: WorkerListener,
        patience: Patience,
        lease: DeviceLease | None = None,
    ) -> None:
        """`lease` is asked before a silent worker is taken for dead: it may be made to wait."""
        self._lease = lease or DeviceLease()
        self._loader = loader
        self._options = options
        self._listener = listener
        self._patience = patience
        self._task: asyncio.Task[None] | None = None
        self._worker: WorkerProcess | None = None
        self._crashes: deque[float] = deque(maxlen=patience.breaker_crashes)
        self._backoff = patience.backoff_first
        self._missed_pongs = 0
        self.state = EngineState.STOPPED
        self.info: EngineInfo | None = None
        self.restarts = 0
        self.last_error: GlmError | None = None

    @property
    def pid(self) -> int | None:
        return self._worker.pid if self._worker else None

    @property
    def refusal(self) -> GlmError | None:
        """The error of every request, in a state that does not end by itself."""
        if self.state in (EngineState.UNUSABLE, EngineState.FAILED):
            return self.last_error
        return None

    def start(self) -> None:
        """Start, unless it runs or is being restarted. Forgets earlier crashes."""
        if self._task is None or self._task.done():
            self._crashes.clear()
            self._backoff = self._patience.backoff_first
            self.state = EngineState.STARTING
            self._task = asyncio.create_task(self._keep_alive(), name="supervisor")

    async def stop(self) -> None:
        """Stop the worker for good; returns when the process is gone."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.state = EngineState.STOPPED
        self.info = None

    def send(self, message: Message) -> None:
        """To a worker that is ready; dropped when it is not. Raises ValueError when too big."""
        if self._worker is not None:
            self._worker.send(message)

    def kill_now(self) -> None:
        """For an exit without waiting."""
        if self._worker is not None:
            self._worker.kill()

    async def _keep_alive(self) -> None:
        while True:
            self.state = EngineState.STARTING
            error, final = await self._one_life()
            self.info = None
            self.last_error = error
            LOG.error("engine %s is down: %s", self._options.model, error.message)
            if final:
                self.state = EngineState.UNUSABLE
            elif self._breaks():
                self.state = EngineState.FAILED
                self.last_error = EngineFailed(
                    f"The engine failed {self._patience.breaker_crashes} times in a row:"
                    f" {error.message}",
                    remedy="See the daemon's log; then restart it: `glm-lsp stop`.",
                )
            else:
                self.state = EngineState.BACKING_OFF
            self._listener.worker_down()
            if self.state is not EngineState.BACKING_OFF:
                return
            await asyncio.sleep(self._backoff)
            self._backoff = min(2 * self._backoff, self._patience.backoff_most)
            self.restarts += 1

    def _breaks(self) -> bool:
        now = time.monotonic()
        self._crashes.append(now)
        full = len(self._crashes) == self._patience.breaker_crashes
        return full and now - self._crashes[0] <= self._patience.breaker_window

    async def _one_life(self) -> tuple[GlmError, bool]:
        """From start to death. The error, and whether a restart would be in vain."""
        try:
            worker = await WorkerProcess.start()
        except OSError as fault:
            return EngineFailed(f"No process for the engine ({fault.strerror})."), False
        self._worker = worker
        ping = asyncio.create_task(self._watch(worker), name="ping")
        try:
            error, final = await self._converse(worker)
        finally:
            why = ping.result() if ping.done() else ""
            ping.cancel()
            self._worker = None
            self._lease.release((worker.pid,))
            how = await asyncio.shield(worker.stop(self._patience.stop))
        return error or EngineFailed(f"The engine's process {why or 'ended'} ({how})."), final

    async def _converse(self, worker: WorkerProcess) -> tuple[GlmError | None, bool]:
        options = self._options.to_wire()
        worker.send({"op": "load", "loader": self._loader, "options": options})
        async for message in worker.messages():
            if message["op"] in ("failed", "broken"):
                failure = from_wire(message)
                in_vain = isinstance(failure, ModelUnusable | BadRequest)
                return failure, in_vain and message["op"] == "failed"
            try:
                self._hear(worker, message)
            except (KeyError, TypeError, ValueError):
                return EngineFailed("The engine's process said what nobody understands."), False
        return None, False

    def _hear(self, worker: WorkerProcess, message: Message) -> None:
        """Raises KeyError, TypeError or ValueError on a malformed message."""
        if message["op"] == "ready":
            self._become_ready(worker, message)
        elif message["op"] == "info":
            self.info = EngineInfo.from_wire(message["info"])
        elif message["op"] == "pong":
            self._missed_pongs = 0
        else:
            self._listener.worker_said(message)

    def _become_ready(self, worker: WorkerProcess, message: Message) -> None:
        self.info = EngineInfo.from_wire(message["info"])
        self.state = EngineState.READY
        LOG.info("engine %s is ready (pid %d)", self._options.model, worker.pid)
        self._listener.worker_ready()

    async def _watch(self, worker: WorkerProcess) -> str:
        """Kill a worker that loads for ever or, loaded, answers no ping; says which.

        Counts waits, not clock time: after a SIGSTOP of the daemon the clock has leapt, but
        the worker's answers lie in the pipe and are read before the next wait is over.
        """
        patience = self._patience
        waits = 0
        while self.state is not EngineState.READY:
            if waits * patience.ping >= patience.load:
                worker.kill()
                return f"had not loaded after {patience.load:g} s"
            await asyncio.sleep(patience.ping)
            waits += 1
        self._missed_pongs = 0
        ready_since = time.monotonic()
        while self._missed_pongs * patience.ping < patience.silence:
            if self._lease.paused(worker.pid):
                self._missed_pongs = 0
            else:
                self._missed_pongs += 1
                worker.send({"op": "ping", "n": waits})
            await asyncio.sleep(patience.ping)
            self._recover(lived=time.monotonic() - ready_since)
        worker.kill()
        return f"did not answer for {patience.silence:g} s"

    def _recover(self, *, lived: float) -> None:
        """A loaded worker that lives on is a sound one: its next fall is no loop.

        The back-off forgets soon; the breaker, which sees slower loops, after its window.
        """
        if lived > self._patience.backoff_forget:
            self._backoff = self._patience.backoff_first
        now = time.monotonic()
        if self._crashes and now - self._crashes[-1] > self._patience.breaker_window:
            self._crashes.clear()
