"""Keeps the connection to the daemon alive: back-off, circuit breaker, one notice an outage.

A notice that was shown less than ten minutes ago is not shown again for the next outage.

States, as the editor sees them in `glm/status`:

    idle ──> starting ──> loading ──> ready          a lost daemon goes back to starting
                 │            └──> failed (the model cannot be loaded)
                 └──> unreachable (waits, tries again) ──> off (six crashes a minute)

Invariant: `complete` fails within CONNECT_PATIENCE_S when there is no daemon; it never waits for
one to be repaired.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_protocol.answers import Chunk
from glm_protocol.completion import CompletionRequest
from glm_protocol.errors import DaemonUnreachable, EngineFailed, GlmError, NotReady, Overloaded
from glm_protocol.requests import AnyRequest

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
CRASHES_TO_GIVE_UP = 6
CRASH_WINDOW_S = 60.0
CONNECT_PATIENCE_S = 1.2  # how long a request waits for a daemon that is being started
BY_HAND_PATIENCE_S = 30.0  # and one that the user made by hand
READY_POLL_S = 0.3
READY_PATIENCE_S = 600.0
SAID_AGAIN_S = 600.0  # the same notice: the status line says it meanwhile
PASSING = (NotReady, Overloaded, EngineFailed)  # mend by themselves; the status shows them

log = logging.getLogger(__name__)


class DaemonState(StrEnum):
    """What the status line says."""

    IDLE = "idle"
    STARTING = "starting"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    OFF = "off"


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkStatus:
    """State, and one sentence where there is something to say. `notice`: worth a message."""

    state: DaemonState
    message: str = ""
    notice: bool = False


class DaemonLink:
    """One editor's lasting connection. `on_status` hears every change of state."""

    def __init__(self, client: DaemonClient, on_status: Callable[[LinkStatus], None]) -> None:
        self.client = client
        self.status = LinkStatus(state=DaemonState.IDLE)
        self._on_status = on_status
        self._connected = asyncio.Event()
        self._tried = asyncio.Event()  # an attempt came to its end, well or badly
        self._task: asyncio.Task[None] | None = None
        self._crashes: list[float] = []  # times of deaths and failed starts, for the breaker
        self._failures = 0  # attempts in a row that did not connect, for the back-off
        self._connected_at = 0.0
        self._outage = False  # a notice was shown and no completion came since
        self._noticed: dict[str, float] = {}  # notices and when they were shown
        self._complained: set[str] = set()  # what only the user can mend and was told

    def connect(self) -> None:
        """Begin to connect, unless connected, connecting or off."""
        if self._connected.is_set() or self.status.state is DaemonState.OFF:
            return
        if self._task is None or self._task.done():
            self._tried.clear()
            self._task = asyncio.get_running_loop().create_task(self._connect_until_given_up())

    async def restart(self) -> None:
        """Drain the daemon and start a new one; also closes an open circuit breaker."""
        await self._stop_trying()
        self._crashes.clear()
        self._complained.clear()
        self._noticed.clear()
        self._connected.clear()
        self._tried.clear()
        self._failures = 0
        self._outage = False
        self._set(DaemonState.STARTING, "Restarting.")
        try:
            await self.client.connect(start=False)
            await self.client.shutdown()
        except GlmError as error:
            log.info("no daemon to stop: %s", error.message)
        self._task = asyncio.get_running_loop().create_task(self._connect_until_given_up())

    async def aclose(self) -> None:
        await self._stop_trying()
        await self.client.aclose()

    async def stream(self, request: AnyRequest) -> AsyncGenerator[Chunk, None]:
        """As `DaemonClient.stream`, after connecting if need be. Raises GlmError.

        What fails in the background, ghost text, is also told once; who asked for the rest by
        hand gets the error as the answer.
        """
        await self._be_connected()
        try:
            async with aclosing(self._stream_or_reconnect(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except DaemonUnreachable as error:
            self._lost(error)
            raise
        except GlmError as error:
            if isinstance(request, CompletionRequest) and not isinstance(error, PASSING):
                self._complain(error)
            raise
        self._outage = False
        if self.status.state is not DaemonState.READY:
            self._set(DaemonState.READY)

    async def _stream_or_reconnect(self, request: AnyRequest) -> AsyncGenerator[Chunk, None]:
        try:
            async with aclosing(self.client.stream(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        except DaemonUnreachable as error:
            if not isinstance(error.__cause__, ConnectionRefusedError):
                raise
        # It ended between two requests, mostly because it was idle: nobody was disturbed.
        self._gone()
        await self._be_connected()
        async with aclosing(self.client.stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def call(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """As `DaemonClient.call`, after connecting if need be. Raises GlmError."""
        await self._be_connected()
        return await self.client.call(method, path, body)

    async def be_patient(self) -> None:
        """Wait as long as a person would who asked by hand. Raises DaemonUnreachable."""
        await self._be_connected(BY_HAND_PATIENCE_S)

    async def _be_connected(self, patience_s: float = CONNECT_PATIENCE_S) -> None:
        if self._connected.is_set():
            return
        if self.status.state in (DaemonState.OFF, DaemonState.UNREACHABLE):
            raise DaemonUnreachable(self.status.message)
        self.connect()
        try:
            async with asyncio.timeout(patience_s):
                await self._tried.wait()
        except TimeoutError as error:
            raise DaemonUnreachable("The daemon is being started.") from error
        if not self._connected.is_set():
            raise DaemonUnreachable(self.status.message)

    def _gone(self) -> None:
        """Nothing listens any more. Dying soon after the start counts against it."""
        if self._connected.is_set():
            self._connected.clear()
            if time.monotonic() - self._connected_at < CRASH_WINDOW_S:
                self._crashes.append(time.monotonic())
            self._set(DaemonState.STARTING)
        self.connect()

    def _lost(self, error: DaemonUnreachable) -> None:
        """The connection broke under a request."""
        if not self._connected.is_set():
            return
        self._connected.clear()
        if isinstance(error.__cause__, TimeoutError):
            # There, but silent (stopped, or swapped out): it may come back, nothing to restart.
            self._set(DaemonState.UNREACHABLE, error.message, notice=True)
        else:
            self._crashes.append(time.monotonic())
            message = "The daemon stopped unexpectedly; it is being started again."
            self._set(DaemonState.STARTING, message, notice=True)
        self.connect()

    async def _connect_until_given_up(self) -> None:
        while (delay := self._delay()) is not None:
            await asyncio.sleep(delay)
            self._tried.clear()
            if self.status.state is not DaemonState.UNREACHABLE:
                self._set(DaemonState.STARTING, self.status.message)
            try:
                await self.client.connect()
            except GlmError as error:
                self._failed(str(error), silent=isinstance(error.__cause__, TimeoutError))
            except Exception as error:  # the edge: a fault here must not go unseen
                log.error("connecting failed: %s", type(error).__name__, exc_info=True)
                self._failed("Connecting failed; see the log.", silent=False)
            else:
                await self._follow()
                return
        message = (
            f"The daemon failed {CRASHES_TO_GIVE_UP} times within a minute; completions are off "
            f"until the command glm.server.restart. {self.status.message}"
        )
        self._set(DaemonState.OFF, message, notice=True)

    def _failed(self, message: str, *, silent: bool) -> None:
        """An attempt failed. A silent daemon is no crash: it is waited for."""
        self._failures += 1
        if not silent:
            self._crashes.append(time.monotonic())
        self._set(DaemonState.UNREACHABLE, message, notice=True)
        self._tried.set()

    async def _follow(self) -> None:
        """Connected: tell those who wait, then follow the loading of the model."""
        self._failures = 0
        self._connected_at = time.monotonic()
        self._connected.set()
        self._tried.set()
        if self.client.other_build:
            text = "The running daemon is of another build of glm-lsp, which keeps starting it."
            self._complain(GlmError(text, remedy="Close the other editor, or update both."))
        await self._wait_until_ready()

    async def _wait_until_ready(self) -> None:
        """Follow the loading of the model, for the status line."""
        give_up = time.monotonic() + READY_PATIENCE_S
        pause = READY_POLL_S
        while time.monotonic() < give_up and self.status.state is not DaemonState.READY:
            try:
                readiness = await self.client.readiness()
                if readiness.ready or readiness.state == "stopped":  # loads with a request
                    self._set(DaemonState.READY)
                    return
            except DaemonUnreachable as error:
                self._task = None  # this task is at its end; a new one may begin
                self._lost(error)
                self.connect()
                return
            except GlmError as error:
                self._complain(error)
                return
            if readiness.state in ("failed", "unusable"):
                self._set(DaemonState.FAILED, readiness.detail, notice=True)
            else:
                detail = readiness.detail or "The model is being loaded."
                self._set(DaemonState.LOADING, detail)
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, 2.0)

    def _delay(self) -> float | None:
        """Seconds before the next attempt; None when it has failed too often."""
        now = time.monotonic()
        self._crashes = [then for then in self._crashes if now - then < CRASH_WINDOW_S]
        if len(self._crashes) >= CRASHES_TO_GIVE_UP:
            return None
        count = max(len(self._crashes), self._failures)
        return 0.0 if count == 0 else float(min(FIRST_DELAY_S * 2 ** (count - 1), LONGEST_DELAY_S))

    def _set(self, state: DaemonState, message: str = "", *, notice: bool = False) -> None:
        """Change the state; a notice only for the first trouble of an outage."""
        worth_it = notice and not self._outage and message not in self._complained
        self._outage = self._outage or notice
        if worth_it:
            now = time.monotonic()
            worth_it = now - self._noticed.get(message, -math.inf) > SAID_AGAIN_S
            self._noticed[message] = now
        if notice and state is DaemonState.FAILED:
            self._complained.add(message)  # requests are going to say the same
        status = LinkStatus(state=state, message=message, notice=worth_it)
        if (status.state, status.message) != (self.status.state, self.status.message) or worth_it:
            self.status = status
            self._on_status(status)

    def _complain(self, error: GlmError) -> None:
        """Show an error that the user has to mend, once."""
        if str(error) not in self._complained:
            self._complained.add(str(error))
            self.status = LinkStatus(state=self.status.state, message=str(error), notice=True)
            self._on_status(self.status)

    async def _stop_trying(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
