"""What routes may see and do: the pool, the numbers, and the daemon's age and state."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request

from glm_daemon.engine_pool import EnginePool
from glm_daemon.finetune_jobs import FinetuneJobs
from glm_daemon.metrics import Gauges, Metrics
from glm_daemon.supervisor import EngineState
from glm_protocol.build import build_id, package_version
from glm_protocol.handshake import PROTOCOL_VERSION, Health


@dataclass(kw_only=True, slots=True)
class DaemonState:
    """One a daemon. `drain` begins the orderly end; `draining` says that it has begun."""

    pool: EnginePool
    metrics: Metrics
    drain: Callable[[], None]
    finetune: FinetuneJobs | None = None
    draining: bool = False
    started: float = field(default_factory=time.monotonic)
    last_request: float = field(default_factory=time.monotonic)  # monitoring does not count

    @property
    def uptime(self) -> float:
        return time.monotonic() - self.started

    def touch(self) -> None:
        """A request that is somebody's work came or ended: the idle time starts anew."""
        self.last_request = time.monotonic()

    def health(self) -> Health:
        return Health(
            state="draining" if self.draining else "running",
            pid=os.getpid(),
            version=package_version(),
            build=build_id(),
            protocol=PROTOCOL_VERSION,
            uptime_s=round(self.uptime, 3),
        )

    def readiness(self) -> tuple[EngineState, str]:
        """State of the default model and one line on it, empty when there is nothing to say."""
        lane = self.pool.default_lane
        if lane is None:
            return EngineState.STOPPED, "The next request loads it."
        supervisor = lane.supervisor
        error = supervisor.last_error
        detail = "" if supervisor.state is EngineState.READY or error is None else str(error)
        return supervisor.state, detail

    def gauges(self) -> Gauges:
        lanes = self.pool.lanes.values()
        return Gauges(
            waiting=self.pool.waiting,
            running=self.pool.running,
            ready=self.pool.ready_engines(),
            restarts=sum(lane.supervisor.restarts for lane in lanes),
            uptime_s=self.uptime,
        )


def daemon_state(request: Request) -> DaemonState:
    """The state of the daemon that serves this request."""
    state = request.app.state.daemon
    assert isinstance(state, DaemonState)
    return state
