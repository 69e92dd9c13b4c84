"""Who may compute now: completion > translation and answers > pictures > training.

On a CPU a process of lower rank is stopped (SIGSTOP) while one of higher rank works, and goes on
(SIGCONT) at once after: a training step or a drawing takes seconds, a completion a tenth of one.
Only processes that hold work are looked at; what loads or idles is left alone. On a GPU nothing
is stopped, since a stopped process would keep the device's queue: there a holder is expected to
work in short steps.

A stopped process still has to be killed, drained and pinged: whoever does so calls `release`
first, or looks at `paused`.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from glm_protocol.request_fields import Trigger
from glm_protocol.requests import AnyRequest


class Rank(IntEnum):
    """Lower numbers go first."""

    COMPLETION = 0
    ANSWER = 1
    PICTURE = 2
    TRAINING = 3


def rank_of(request: AnyRequest) -> Rank:
    """The rank of a request's work. A completion that nobody waits for yields to answers."""
    match request.kind:
        case "complete":
            late = request.trigger is Trigger.BACKGROUND
            return Rank.ANSWER if late else Rank.COMPLETION
        case "draw":
            return Rank.PICTURE
    return Rank.ANSWER


class Holder(Protocol):
    """Something that computes in processes of its own."""

    @property
    def rank(self) -> Rank | None:
        """Rank of the most urgent work at hand; None while there is none."""
        ...

    @property
    def on_cpu(self) -> bool: ...

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes to stop; empty where none runs yet."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessHolder:
    """A process and its children that train, until it is dropped from the lease."""

    pid: Callable[[], tuple[int, ...]]
    rank: Rank = Rank.TRAINING
    on_cpu: bool = True

    @property
    def pids(self) -> tuple[int, ...]:
        return self.pid()


Send = Callable[[int, int], None]


class DeviceLease:
    """Stops and continues. `update` is called whenever work begins or ends anywhere."""

    def __init__(self, send: Send = os.kill) -> None:
        self._send = send
        self._holders: list[Holder] = []
        self._paused: set[int] = set()

    def add(self, holder: Holder) -> None:
        self._holders.append(holder)
        self.update()

    def remove(self, holder: Holder) -> None:
        if holder in self._holders:
            self.release(holder.pids)
            self._holders.remove(holder)
        self.update()

    def paused(self, pid: int | None) -> bool:
        return pid in self._paused

    def update(self) -> None:
        """Stop what has to wait for what is at work now, and let the rest go on."""
        at_work = [(rank, holder) for holder in self._holders if (rank := holder.rank) is not None]
        first = min((rank for rank, _ in at_work), default=Rank.COMPLETION)
        behind = [holder for rank, holder in at_work if rank > first and holder.on_cpu]
        wait = {pid for holder in behind for pid in holder.pids}
        self.release(self._paused - wait)
        for pid in wait - self._paused:
            with contextlib.suppress(ProcessLookupError):
                self._send(pid, signal.SIGSTOP)
                self._paused.add(pid)

    def release(self, pids: Iterable[int]) -> None:
        """Let these go on, whatever is at work; before they are asked to end."""
        for pid in set(pids) & self._paused:
            with contextlib.suppress(ProcessLookupError):
                self._send(pid, signal.SIGCONT)
            self._paused.discard(pid)

    def release_all(self) -> None:
        self.release(tuple(self._paused))
