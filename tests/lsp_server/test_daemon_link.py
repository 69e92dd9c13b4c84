"""The lasting connection: back-off, circuit breaker, one notice an outage (faults 1, 2, 7)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from glm_client.daemon_client import DaemonClient, Readiness
from glm_lsp import daemon_link
from glm_lsp.daemon_link import DaemonLink, DaemonState, LinkStatus
from glm_protocol.answers import Chunk, End, FinishReason
from glm_protocol.errors import DaemonUnreachable, GlmError, ModelUnknown
from glm_protocol.requests import AnyRequest
from tests.client.test_daemon_client import REQUEST
from tests.lsp_server.in_process import eventually

END = Chunk(end=End(finish=FinishReason.STOP, model="scripted"))


class ScriptedClient(DaemonClient):
    """A client whose daemon does what the test says."""

    def __init__(self) -> None:
        self.other_build = False
        self.absent: GlmError | None = None
        self.failure: GlmError | None = None
        self.connects: list[float] = []
        self.shutdowns = 0
        self.mended_by_connecting = False

    async def connect(self, *, start: bool = True) -> Any:
        self.connects.append(time.monotonic())
        if self.absent is not None:
            raise self.absent
        if self.mended_by_connecting:
            self.failure = None

    async def readiness(self) -> Any:
        return Readiness(ready=True, state="ready", detail="")

    async def shutdown(self) -> None:
        self.shutdowns += 1

    async def aclose(self) -> None:
        pass

    async def stream(self, request: AnyRequest) -> AsyncGenerator[Chunk, None]:
        if self.failure is not None:
            raise self.failure
        yield END


def because(cause: Exception) -> DaemonUnreachable:
    error = DaemonUnreachable("Gone.")
    error.__cause__ = cause
    return error


class Scene:
    """A link, its scripted daemon and everything it said."""

    def __init__(self) -> None:
        self.client = ScriptedClient()
        self.said: list[LinkStatus] = []
        self.link = DaemonLink(self.client, self.said.append)

    async def complete(self) -> bool:
        """Whether a completion came, within the time that an editor is patient."""
        started = time.monotonic()
        try:
            async for _ in self.link.stream(REQUEST):
                pass
        except GlmError:
            assert time.monotonic() - started < 2
            return False
        return True

    def notices(self) -> list[str]:
        return [status.message for status in self.said if status.notice]


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(daemon_link, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(daemon_link, "LONGEST_DELAY_S", 0.04)
    made = Scene()
    yield made
    await made.link.aclose()


async def test_the_first_request_connects(scene: Scene) -> None:
    assert await scene.complete()
    await eventually(lambda: scene.link.status.state is DaemonState.READY)
    assert [status.state for status in scene.said] == ["starting", "ready"]
    assert len(scene.client.connects) == 1


async def test_a_daemon_lost_under_a_request_is_started_again_with_one_notice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await scene.complete()
    scene.client.failure = DaemonUnreachable("Cut.")
    assert not await scene.complete()
    scene.client.failure = None
    assert await scene.complete()
    assert len(scene.notices()) == 1
    scene.client.failure = DaemonUnreachable("Cut.")
    assert not await scene.complete()
    assert len(scene.notices()) == 1  # another outage, but that was said already
    scene.client.failure = None
    assert await scene.complete()
    monkeypatch.setattr(daemon_link, "SAID_AGAIN_S", 0.0)
    scene.client.failure = DaemonUnreachable("Cut.")
    assert not await scene.complete()
    assert len(scene.notices()) == 2  # as if long after


async def test_a_daemon_that_went_away_idle_is_replaced_without_a_word(scene: Scene) -> None:
    assert await scene.complete()
    scene.client.failure = because(ConnectionRefusedError())
    scene.client.mended_by_connecting = True
    assert await scene.complete()
    assert len(scene.client.connects) == 2
    assert scene.notices() == []


async def test_one_that_cannot_be_started_is_given_up_with_one_notice(scene: Scene) -> None:
    scene.client.absent = DaemonUnreachable("It ended at once.")
    for _ in range(20):
        assert not await scene.complete()
        await asyncio.sleep(0.02)
    await eventually(lambda: scene.link.status.state is DaemonState.OFF)
    assert len(scene.client.connects) == daemon_link.CRASHES_TO_GIVE_UP
    assert len(scene.notices()) == 1
    assert "glm.server.restart" in scene.link.status.message
    waits = [b - a for a, b in zip(scene.client.connects, scene.client.connects[1:], strict=False)]
    assert waits[0] >= 0.01
    assert waits[1] >= 0.02
    assert waits[2] >= 0.04


async def test_restart_closes_the_breaker(scene: Scene) -> None:
    scene.client.absent = DaemonUnreachable("It ended at once.")
    await scene.complete()
    await eventually(lambda: scene.link.status.state is DaemonState.OFF)
    assert not await scene.complete()
    scene.client.absent = None
    await scene.link.restart()
    assert scene.client.shutdowns == 1
    assert await scene.complete()


async def test_six_deaths_in_a_minute_open_the_breaker(scene: Scene) -> None:
    for _ in range(daemon_link.CRASHES_TO_GIVE_UP):
        scene.client.failure = None
        assert await scene.complete()
        scene.client.failure = DaemonUnreachable("Cut.")
        assert not await scene.complete()
    await eventually(lambda: scene.link.status.state is DaemonState.OFF)
    assert not await scene.complete()


async def test_a_silent_daemon_is_waited_for_and_never_given_up(scene: Scene) -> None:
    assert await scene.complete()
    scene.client.failure = scene.client.absent = because(TimeoutError())
    assert not await scene.complete()
    await eventually(lambda: len(scene.client.connects) > 10)
    started = time.monotonic()
    assert not await scene.complete()
    assert time.monotonic() - started < 0.1  # nobody waits for it
    assert scene.link.status.state is DaemonState.UNREACHABLE
    scene.client.failure = scene.client.absent = None
    await eventually(lambda: scene.link.status.state is DaemonState.READY)
    assert await scene.complete()
    assert len(scene.notices()) == 1


async def test_a_fault_of_the_user_s_is_said_once(scene: Scene) -> None:
    scene.client.failure = ModelUnknown("No model m.")
    for _ in range(3):
        assert not await scene.complete()
    assert len(scene.notices()) == 1


async def test_another_build_that_stays_is_said_once(scene: Scene) -> None:
    scene.client.other_build = True
    assert await scene.complete()
    await eventually(lambda: scene.notices())
    assert "another build" in scene.notices()[0]


async def test_a_bug_in_connecting_is_no_silent_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(scene.client, "connect", broken)
    assert not await scene.complete()
    await eventually(lambda: scene.link.status.state is DaemonState.OFF)
    assert "ZeroDivisionError" in caplog.text
