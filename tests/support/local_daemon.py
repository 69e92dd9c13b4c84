"""A daemon inside the test's own event loop (its workers are real processes).

Quicker to start than `daemon_process`, and the test can look at the pool.

    async with local_daemon(patience=Patience(overdue=0.1)) as here:
        await here.http.get("/health")
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

from glm_daemon.daemon import Daemon
from glm_daemon.engine_pool import EnginePool
from glm_daemon.listening_socket import listen_tcp, listen_unix
from glm_daemon.runtime_folder import make_private_folder
from glm_daemon.serve_options import ServeOptions, TcpAddress, TcpOptions
from glm_protocol.folders import Folders
from tests.support.daemon_process import fresh_folders

TOKEN = "a-token-for-tests-only"


@dataclass(kw_only=True)
class LocalDaemon:
    """`http` speaks on the unix socket; `tcp_port` is 0 without TCP."""

    daemon: Daemon
    folders: Folders
    http: httpx.AsyncClient
    tcp_port: int

    @property
    def pool(self) -> EnginePool:
        return self.daemon.state.pool

    async def ready(self) -> None:
        await eventually(lambda: self.pool.ready_engines() > 0)


async def eventually(true: Any, *, within: float = 10.0) -> None:
    """Wait until `true()` is."""
    give_up = time.monotonic() + within
    while not true():
        assert time.monotonic() < give_up, "it did not happen in time"
        await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def local_daemon(
    *, tcp: bool = False, ready: bool = True, **options: Any
) -> AsyncIterator[LocalDaemon]:
    """With the fake model; `options` are ServeOptions' fields."""
    folders = fresh_folders()
    make_private_folder(folders.runtime)
    unix = listen_unix(folders.socket)
    address = TcpAddress(host="127.0.0.1", port=0)
    tcp_options = TcpOptions(address=address, token=TOKEN) if tcp else None
    sock = listen_tcp(address) if tcp else None
    daemon = Daemon(
        options=ServeOptions(**{"model": "fake", "tcp": tcp_options, **options}),
        registry=folders.registry,
        unix=unix,
        tcp=sock,
    )
    port = sock.getsockname()[1] if sock else 0
    running = asyncio.create_task(daemon.run())
    transport = httpx.AsyncHTTPTransport(uds=str(folders.socket))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://glm-lsp", trust_env=False, timeout=30.0
    ) as http:
        here = LocalDaemon(daemon=daemon, folders=folders, http=http, tcp_port=port)
        try:
            await http.get("/health", headers={"connection": "close"})
            if ready:
                await here.ready()
            yield here
        finally:
            daemon.state.pool.cancel_all()
            daemon.begin_drain()
            await running
            shutil.rmtree(folders.runtime.parent, ignore_errors=True)
