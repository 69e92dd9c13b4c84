"""Who may compute: ranks, stopping and going on, and a real drawing that waits for a completion."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from glm_daemon.answers import whole
from glm_daemon.device_lease import DeviceLease, ProcessHolder, Rank, rank_of
from glm_daemon.engine_lane import EngineLane
from glm_daemon.request_job import RequestJob
from glm_daemon.serve_options import Patience
from glm_protocol.drawing import DrawRequest
from glm_protocol.request_fields import Trigger
from glm_protocol.requests import AnyRequest
from glm_runtime.engine import EngineOptions
from glm_runtime.fake_engine import FakeScript
from tests.support.daemon_process import completion_request
from tests.support.local_daemon import eventually

FAKE = "glm_runtime.fake_engine:load_engine"


@dataclass(kw_only=True)
class Stand:
    """A holder whose work the test sets."""

    pid: int
    rank: Rank | None = None
    on_cpu: bool = True

    @property
    def pids(self) -> tuple[int, ...]:
        return (self.pid,)


@dataclass
class Signals:
    """Stands for `os.kill`."""

    sent: list[tuple[int, int]] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)

    def __call__(self, pid: int, number: int) -> None:
        if pid in self.gone:
            raise ProcessLookupError
        self.sent.append((pid, number))

    def take(self) -> list[tuple[int, int]]:
        taken, self.sent = self.sent, []
        return taken


def scene(*holders: Any) -> tuple[DeviceLease, Signals]:
    signals = Signals()
    lease = DeviceLease(signals)
    for holder in holders:
        lease.add(holder)
    signals.take()
    return lease, signals


def test_lower_ranks_wait_and_go_on() -> None:
    coder, painter = Stand(pid=1), Stand(pid=2, rank=Rank.PICTURE)
    trainer = ProcessHolder(pid=lambda: (3, 4))
    lease, signals = scene(coder, painter, trainer)
    assert [lease.paused(pid) for pid in (1, 2, 3, 4)] == [False, False, True, True]
    coder.rank = Rank.COMPLETION
    lease.update()
    assert signals.take() == [(2, signal.SIGSTOP)]
    lease.update()
    assert signals.take() == []
    coder.rank = None
    lease.update()
    assert signals.take() == [(2, signal.SIGCONT)]
    painter.rank = None
    lease.update()
    assert sorted(signals.take()) == [(3, signal.SIGCONT), (4, signal.SIGCONT)]


def test_equal_ranks_share() -> None:
    _, signals = scene(Stand(pid=1, rank=Rank.ANSWER), Stand(pid=2, rank=Rank.ANSWER))
    assert signals.take() == []


def test_a_gpu_s_process_is_never_stopped() -> None:
    lease, _ = scene(
        Stand(pid=1, rank=Rank.COMPLETION), Stand(pid=2, rank=Rank.PICTURE, on_cpu=False)
    )
    assert not lease.paused(2)


def test_what_leaves_goes_on_first_and_what_is_gone_is_forgotten() -> None:
    painter = Stand(pid=2, rank=Rank.PICTURE)
    lease, signals = scene(Stand(pid=1, rank=Rank.COMPLETION), painter)
    lease.remove(painter)
    assert signals.take() == [(2, signal.SIGCONT)]
    signals.gone.add(2)
    lease.add(painter)
    assert not lease.paused(2)
    lease.release_all()
    assert signals.take() == []


def test_ranks_of_requests() -> None:
    def completion(trigger: Trigger) -> AnyRequest:
        return completion_request(trigger=trigger)

    assert rank_of(completion(Trigger.AUTOMATIC)) is Rank.COMPLETION
    assert rank_of(completion(Trigger.BACKGROUND)) is Rank.ANSWER
    assert rank_of(DrawRequest(id="d", document="d", prompt="p")) is Rank.PICTURE


def state_of(pid: int) -> str:
    """The letter of the kernel: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.e2e
async def test_a_drawing_waits_for_a_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    script = FakeScript(step_delay_s=0.1)
    for name, value in script.to_environment().items():
        monkeypatch.setenv(name, value)
    lease = DeviceLease()
    lanes = [
        EngineLane(loader=FAKE, options=EngineOptions(model=name), patience=Patience(), lease=lease)
        for name in ("painter", "coder")
    ]
    painter, coder = lanes
    for lane in lanes:
        lease.add(lane)
        lane.supervisor.start()
    try:
        await eventually(lambda: all(lane.free_row for lane in lanes))
        drawing = RequestJob(
            key="d", request=DrawRequest(id="d", document="d", prompt="p", width=4, height=4)
        )
        painter.submit(drawing)
        await eventually(lambda: drawing.first_text is not None)
        completion = RequestJob(key="c", request=completion_request("x = foo(", id="c"))
        coder.submit(completion)
        pid = painter.supervisor.pid
        assert pid is not None
        await eventually(lambda: state_of(pid) == "T")
        assert (await whole(completion)).text
        assert not drawing.done
        assert (await whole_picture(drawing)) is not None
    finally:
        lease.release_all()
        for lane in lanes:
            await lane.supervisor.stop()


async def whole_picture(job: RequestJob) -> str:
    image = ""
    while not job.done or not image:
        image = (await job.next()).image or image
    return image
