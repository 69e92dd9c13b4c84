"""The running daemon: uvicorn on our sockets, the pool, signals, the drain, the idle exit.

Its end, however it comes (signal, route, idleness, loss of the socket): new work is refused,
work at hand gets `Patience.drain` seconds, then streams are ended, listeners and workers are
closed and the socket is removed. A second signal skips all that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Generator
from pathlib import Path

import uvicorn
from uvicorn.server import ServerState

from glm_daemon.access import AccessRules
from glm_daemon.app import create_app
from glm_daemon.daemon_state import DaemonState
from glm_daemon.engine_pool import EnginePool
from glm_daemon.finetune_jobs import FinetuneJobs
from glm_daemon.guarded_protocol import guarded_protocol
from glm_daemon.listening_socket import UnixListener
from glm_daemon.metrics import Metrics
from glm_daemon.model_table import ModelTable
from glm_daemon.serve_options import ServeOptions
from glm_runtime.engine import EngineOptions

LOG = logging.getLogger(__name__)
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
MAX_CONNECTIONS = 512
MAX_HEADERS = 16 * 2**10  # bytes
LOOK_ROUND = 1.0  # seconds between looks at idleness and at the socket
EXIT_KILLED = 1


def _model_table(options: ServeOptions, registry: Path) -> ModelTable:
    engine = EngineOptions(
        model=options.model or "",
        device=options.device,
        dtype=options.dtype,
        threads=options.threads,
    )
    return ModelTable(registry=registry, options=engine)


class QuietServer(uvicorn.Server):
    """uvicorn without its own signal handling: it would exit by the signal, not with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Daemon:
    """One daemon on sockets that listen already. `run` returns after the orderly end."""

    def __init__(
        self,
        *,
        options: ServeOptions,
        registry: Path,
        unix: UnixListener,
        tcp: socket.socket | None = None,
    ) -> None:
        self._options = options
        self._unix = unix
        self._tcp = tcp
        metrics = Metrics()
        pool = EnginePool(
            models=_model_table(options, registry),
            metrics=metrics,
            patience=options.patience,
            queue=options.queue,
            engines=options.engines,
        )
        self._jobs = FinetuneJobs(registry.parent, pool.lease)
        self.state = DaemonState(
            pool=pool, metrics=metrics, drain=self.begin_drain, finetune=self._jobs
        )
        self._end_asked = asyncio.Event()
        port = tcp.getsockname()[1] if tcp else 0
        self.app = create_app(self.state, AccessRules.for_tcp(options.tcp, port))
        self._server = QuietServer(self._uvicorn_config())

    @property
    def server_state(self) -> ServerState:
        """uvicorn's: open connections and requests."""
        return self._server.server_state

    def begin_drain(self) -> None:
        """Ask for the orderly end; returns at once."""
        self.state.draining = True
        self.state.pool.closing = True
        self._end_asked.set()

    async def run(self) -> None:
        sockets = [self._unix.sock] + ([self._tcp] if self._tcp else [])
        serving = asyncio.create_task(self._server.serve(sockets=sockets))
        watching = asyncio.create_task(self._look_round())
        self.state.pool.start_default()
        self._jobs.open()
        LOG.info("serving, pid %d", os.getpid())
        try:
            ended = asyncio.create_task(self._end_asked.wait())
            await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            await self._drain()
        finally:
            watching.cancel()
            self._unix.remove()
            self._stop_listening()
            self._server.should_exit = True
            await asyncio.gather(self.state.pool.close(), self._jobs.close())
            await serving
        LOG.info("ended")

    def _stop_listening(self) -> None:
        """Before the workers end, so that nobody connects to what answers no more."""
        for listener in self._listeners():
            listener.close()

    @property
    def listening(self) -> bool:
        """Whether a client can still connect."""
        return any(listener.is_serving() for listener in self._listeners())

    def _listeners(self) -> list[asyncio.Server]:
        return getattr(self._server, "servers", [])  # not there before uvicorn has started

    async def _drain(self) -> None:
        pool = self.state.pool
        until = time.monotonic() + self._options.patience.drain
        while pool.busy and (left := until - time.monotonic()) > 0:
            await pool.wait_for_end(left)
        pool.cancel_all()

    async def _look_round(self) -> None:
        idle_exit = self._options.idle_exit
        while True:
            await asyncio.sleep(min(LOOK_ROUND, idle_exit / 4) if idle_exit else LOOK_ROUND)
            if not self._unix.still_ours():
                LOG.error("the socket was removed or replaced; ending")
                self.begin_drain()
            elif idle_exit and self._idle_for() > idle_exit:
                LOG.info("idle for %.0f s; ending", idle_exit)
                self.begin_drain()

    def _idle_for(self) -> float:
        """Seconds since the last request; 0 while one is at work or a job is. A connection that
        a client merely keeps open is no work."""
        pool = self.state.pool
        if self._server.server_state.tasks or pool.busy or self._jobs.busy:
            return 0.0
        return time.monotonic() - self.state.last_request

    def handle_signals(self) -> None:
        """The first of `SIGNALS` begins the end, the second is the end. Needs the running loop."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if not self.state.draining:
            LOG.info("asked to end")
            self.begin_drain()
            return
        LOG.warning("asked to end at once")
        self.state.pool.kill_now()
        self._jobs.kill_now()
        self._unix.remove()
        os._exit(EXIT_KILLED)

    def _uvicorn_config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self.app,
            http=guarded_protocol(self._options.patience),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=self._options.patience.keep_alive,
            timeout_graceful_shutdown=1,  # the drain was ours already
            h11_max_incomplete_event_size=MAX_HEADERS,
        )
