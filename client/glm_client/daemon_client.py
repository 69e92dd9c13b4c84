"""HTTP client of the daemon: finds or starts it, shakes hands, streams answers.

Works inside the language server and in a command under `asyncio.run`. One attempt, no back-off:
patience and notices belong to `DaemonLink`. httpx is imported on first use, off the loop.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from glm_client.daemon_address import (
    DaemonAddress,
    LocalDaemon,
    TeamDaemon,
    make_private_folder,
    socket_is_there,
)
from glm_client.daemon_answers import cause, chunk_of, error_of, lines_of, unreachable
from glm_client.daemon_process import ALREADY_RUNNING, DaemonProcess, start_lock
from glm_protocol.answers import Chunk, End
from glm_protocol.errors import DaemonUnreachable, ProtocolMismatch
from glm_protocol.folders import user_folders
from glm_protocol.handshake import (
    CLIENT_BUILD_HEADER,
    CLIENT_PROTOCOL_HEADER,
    PROTOCOL_VERSION,
    Health,
)
from glm_protocol.requests import AnyRequest

if TYPE_CHECKING:
    import httpx

START_TIMEOUT_S = 30.0
HEALTH_TIMEOUT_S = 2.0
DRAIN_S = 15.0  # a daemon that was asked to leave may be silent so long
GRACE_S = 3.0  # beyond a request's own deadline; the daemon itself gives up after 2
MAX_TAKEOVERS = 2  # daemons of another build that we replace in
TAKEOVER_WINDOW_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer: its text, its pictures (base64 of PNG files), its end."""

    text: str
    images: tuple[str, ...]
    end: End


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """State of the default model's engine, in the daemon's words; `detail` says what is wrong."""

    ready: bool
    state: str
    detail: str


class DaemonClient:
    """Speaks to one daemon. `async with DaemonClient() as client: await client.connect()`."""

    def __init__(self, address: DaemonAddress | None = None) -> None:
        self.address: DaemonAddress = address or LocalDaemon(folders=user_folders())
        self.other_build = False  # the daemon in use is of another build than we are
        self._http: httpx.AsyncClient | None = None
        self._build = ""
        self._process: DaemonProcess | None = None
        self._takeovers: list[float] = []
        self._asked_to_leave = -DRAIN_S

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. A daemon that we started runs on."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None
        if self._process is not None:
            self._process.let_go()
            self._process = None

    async def connect(self, *, start: bool = True) -> Health:
        """Find the daemon, or start it, and shake hands.

        Raises DaemonUnreachable (absent and not startable) or ProtocolMismatch.
        """
        if isinstance(self.address, TeamDaemon):
            health = await self.health()
            if health.protocol != PROTOCOL_VERSION:
                raise ProtocolMismatch(
                    f"The daemon speaks protocol {health.protocol}, we speak {PROTOCOL_VERSION}.",
                    remedy="Install the same version of glm-lsp at both ends.",
                )
            return health
        return await self._connect_locally(self.address, start)

    async def health(self) -> Health:
        """Who answers. Raises DaemonUnreachable."""
        wire = await self.call("GET", "/health")
        try:
            return Health.from_wire(wire)
        except (KeyError, TypeError, ValueError) as error:
            raise DaemonUnreachable("What answers on the socket is not our daemon.") from error

    async def ready(self) -> bool:
        """Whether a completion would be served now (the model is loaded)."""
        return (await self.readiness()).ready

    async def readiness(self) -> Readiness:
        """How far the default model is. Raises DaemonUnreachable."""
        wire = await self.call("GET", "/ready", accept=(200, 503))
        return Readiness(
            ready=wire.get("ready") is True,
            state=str(wire.get("state", "")),
            detail=str(wire.get("detail") or ""),
        )

    async def status(self) -> dict[str, Any]:
        """The daemon's own report, for people and commands."""
        return await self.call("GET", "/glm/v1/status")

    async def shutdown(self) -> None:
        """Ask the daemon to finish its work and end."""
        self._asked_to_leave = time.monotonic()
        await self.call("POST", "/glm/v1/shutdown")

    async def stream(self, request: AnyRequest) -> AsyncGenerator[Chunk, None]:
        """Pieces of the answer, then the end. Closing the iterator stops the work.

        Raises GlmError: the daemon's own, or DaemonUnreachable (see `cause`).
        """
        http, httpx = await self._client()
        body = json.dumps(request.to_wire()).encode()
        timeout = httpx.Timeout(HEALTH_TIMEOUT_S, read=request.deadline_ms / 1000 + GRACE_S)
        ended = False
        try:
            async with http.stream(
                "POST", f"/glm/v1/{request.kind}", content=body, headers=JSON_BODY, timeout=timeout
            ) as response:
                if response.status_code != 200:
                    raise error_of(response.status_code, await response.aread(), response.headers)
                async for line in lines_of(response.aiter_raw()):
                    if not ended:  # behind the end only the body's end is read, to keep the
                        chunk = chunk_of(line)  # connection for the next request
                        ended = chunk.end is not None
                        yield chunk
        except httpx.TransportError as error:
            if not ended:
                raise unreachable(error) from cause(error, httpx)
        if not ended:
            raise DaemonUnreachable("The daemon stopped in the middle of an answer.")

    async def whole(self, request: AnyRequest) -> Answer:
        """The whole answer. Raises GlmError as `stream` does."""
        chunks = [chunk async for chunk in self.stream(request)]
        end = chunks[-1].end
        assert end is not None
        return Answer(
            text="".join(chunk.text for chunk in chunks),
            images=tuple(chunk.image for chunk in chunks if chunk.image),
            end=end,
        )

    async def _connect_locally(self, address: LocalDaemon, start: bool) -> Health:
        folders = address.folders
        if not start and not folders.runtime.exists():
            raise DaemonUnreachable("No daemon is running.")
        make_private_folder(folders.runtime)
        give_up = time.monotonic() + START_TIMEOUT_S
        silences = 0
        while time.monotonic() < give_up:
            try:
                health = await self._find(address)
            except DaemonUnreachable:
                silences += 1  # one may be a busy machine
                leaving = time.monotonic() - self._asked_to_leave < DRAIN_S
                if silences > 1 and not leaving:
                    raise
                continue
            if not start:
                if health is None:
                    raise DaemonUnreachable("No daemon is running.")
                self.other_build = self._differs(health)
                return health
            if health is not None and health.state != "draining":
                if await self._accept(health):
                    return health
                continue
            if health is None:
                with start_lock(folders) as mine:
                    if mine and (health := await self._find(address)) is None:
                        await self._start(address, give_up)
            await asyncio.sleep(0.05)
        raise DaemonUnreachable(f"The daemon was not there after {START_TIMEOUT_S:.0f} s.")

    async def _find(self, address: LocalDaemon) -> Health | None:
        """The running daemon's health, or None where nothing listens."""
        if not socket_is_there(address.folders.socket):
            return None
        try:
            return await self.health()
        except DaemonUnreachable as error:
            if isinstance(error.__cause__, TimeoutError):
                raise
            return None  # a socket that a killed daemon left behind

    async def _answers(self, address: LocalDaemon) -> bool:
        """Whether a daemon that was just started answers; on a busy machine it may be slow to."""
        try:
            return await self._find(address) is not None
        except DaemonUnreachable:
            return False

    def _differs(self, health: Health) -> bool:
        return (health.build, health.protocol) != (self._build, PROTOCOL_VERSION)

    async def _accept(self, health: Health) -> bool:
        """Whether to use this daemon; otherwise it was asked to leave."""
        self.other_build = self._differs(health)
        if not self.other_build:
            return True
        now = time.monotonic()
        self._takeovers = [then for then in self._takeovers if now - then < TAKEOVER_WINDOW_S]
        if len(self._takeovers) < MAX_TAKEOVERS:
            self._takeovers.append(now)
            await self.shutdown()
            await asyncio.sleep(0.05)
            return False
        # Somebody keeps starting the other build: two editors must not fight over the daemon.
        if health.protocol == PROTOCOL_VERSION:
            return True
        raise ProtocolMismatch("Another installation of glm-lsp keeps its own daemon running.")

    async def _start(self, address: LocalDaemon, give_up: float) -> None:
        """Start the daemon and wait until something listens."""
        if self._process is not None:
            self._process.let_go()
        self._process = process = await asyncio.to_thread(
            DaemonProcess, address.folders, address.serve_args
        )
        while time.monotonic() < give_up:
            if await self._answers(address):
                return
            code = process.exit_code()
            if code is not None:
                if code == ALREADY_RUNNING or await self._answers(address):
                    return  # another one was quicker, or is on its way out; ours left
                words = process.last_words() or f"exit code {code}"
                raise DaemonUnreachable(f"The daemon ended at once: {words}")
            await asyncio.sleep(0.02)

    async def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        accept: Sequence[int] = (200, 202),
    ) -> dict[str, Any]:
        """One short request; its JSON object. Raises GlmError on a status not in `accept`."""
        http, httpx = await self._client()
        try:
            response = await http.request(method, path, json=body, timeout=HEALTH_TIMEOUT_S)
        except httpx.TransportError as error:
            raise unreachable(error) from cause(error, httpx)
        if response.status_code not in accept:
            raise error_of(response.status_code, response.content, response.headers)
        try:
            wire = response.json()
        except ValueError as error:
            raise DaemonUnreachable("The daemon's answer is not JSON.") from error
        return wire if isinstance(wire, dict) else {}

    async def _client(self) -> tuple[httpx.AsyncClient, Any]:
        """The connection pool, and the httpx module."""
        if self._http is None:
            module, build = await asyncio.to_thread(load)
            self._build = build
            if self._http is None:
                self._http = self._open(module, build)
        return self._http, import_module("httpx")

    def _open(self, module: Any, build: str) -> httpx.AsyncClient:
        headers = {CLIENT_BUILD_HEADER: build, CLIENT_PROTOCOL_HEADER: str(PROTOCOL_VERSION)}
        # No proxy and no netrc of the environment: code goes to the daemon and nowhere else.
        if isinstance(self.address, TeamDaemon):
            if self.address.token:
                headers["authorization"] = f"Bearer {self.address.token}"
            client = module.AsyncClient(base_url=self.address.url, headers=headers, trust_env=False)
        else:
            path = str(self.address.folders.socket)
            client = module.AsyncClient(
                transport=module.AsyncHTTPTransport(uds=path, verify=False, trust_env=False),
                base_url="http://glm-lsp",
                headers=headers,
                trust_env=False,
            )
        opened: httpx.AsyncClient = client
        return opened


JSON_BODY = {"content-type": "application/json"}


def load() -> tuple[Any, str]:
    """httpx and our build id; both take long enough to be kept off the loop."""
    from glm_protocol.build import build_id

    # httpx' command line (click, rich, pygments) is half of its import time. httpcore tries to
    # import sniffio several times a request; an import that fails searches the whole path each
    # time, 1.5 of the 3.5 ms that a request took. None in `sys.modules` makes both fail at once.
    if "httpx" not in sys.modules:
        sys.modules["httpx._main"] = None  # type: ignore[assignment]
    if "sniffio" not in sys.modules and find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]
    return import_module("httpx"), build_id()
