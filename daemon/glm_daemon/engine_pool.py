"""The loaded engines, and the only place that starts or stops one.

Bounds: `engines` loaded at once (the least recently used idle one makes room) and `queue`
requests waiting over all of them. The newest request of a document ends the older one, on
whichever engine it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from itertools import count

from glm_daemon.device_lease import DeviceLease
from glm_daemon.engine_lane import EngineLane
from glm_daemon.metrics import Metrics
from glm_daemon.model_table import ModelTable
from glm_daemon.request_job import RequestJob
from glm_daemon.serve_options import Patience
from glm_daemon.supervisor import EngineState
from glm_protocol.answers import FinishReason
from glm_protocol.errors import GlmError, NotReady, Overloaded
from glm_protocol.requests import AnyRequest

LOG = logging.getLogger(__name__)


class EnginePool:
    """Takes requests, gives jobs."""

    def __init__(
        self,
        *,
        models: ModelTable,
        metrics: Metrics,
        patience: Patience,
        queue: int = 64,
        engines: int = 2,
    ) -> None:
        self.models = models
        self.lanes: dict[str, EngineLane] = {}
        self.closing = False
        self.lease = DeviceLease()
        self._metrics = metrics
        self._patience = patience
        self._queue = queue
        self._engines = engines
        self._keys = count(1)
        self._used: dict[str, float] = {}
        self._newest: dict[tuple[str, str], RequestJob] = {}  # by tenant and document
        self._stopping: set[asyncio.Task[None]] = set()
        self._some_end = asyncio.Event()

    @property
    def waiting(self) -> int:
        return sum(lane.waiting for lane in self.lanes.values())

    @property
    def running(self) -> int:
        return sum(lane.running for lane in self.lanes.values())

    @property
    def busy(self) -> bool:
        return any(lane.busy for lane in self.lanes.values())

    @property
    def queue_limit(self) -> int:
        return self._queue

    @property
    def default_lane(self) -> EngineLane | None:
        return self.lanes.get(self.models.default)

    def start_default(self) -> None:
        """Load the default model before anybody asks; a request is told if it cannot be."""
        try:
            self._lane(None).supervisor.start()
        except GlmError as error:
            LOG.error("the default model: %s", error)

    def submit(self, request: AnyRequest, *, tenant: str = "") -> RequestJob:
        """Queue a tenant's request.

        Raises GlmError: unknown or unusable model, queue full, closing.
        """
        if self.closing:
            raise NotReady("The daemon is shutting down.")
        lane = self._lane(self._model_of(request))
        key = f"{os.getpid()}-{next(self._keys)}"
        job = RequestJob(key=key, request=request, lane=lane.model, tenant=tenant)
        about = (tenant, request.document)
        if older := self._newest.pop(about, None):
            self.cancel(older, FinishReason.SUPERSEDED)
        if self.waiting >= self._queue and not lane.free_row:
            self._metrics.completion_failed(Overloaded.code)
            raise Overloaded(f"{self.waiting} requests are waiting already.")
        self._newest[about] = job
        job.on_done.append(self._job_done)
        lane.submit(job)
        return job

    def cancel(self, job: RequestJob, reason: FinishReason = FinishReason.CANCELLED) -> None:
        """End a job; one that is done stays as it is."""
        lane = self.lanes.get(job.lane)
        job.finish(reason, model=lane.engine_name if lane else job.lane)

    async def wait_for_end(self, patience: float) -> None:
        """Return when some job has ended, or after `patience` seconds."""
        self._some_end.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._some_end.wait(), patience)

    def cancel_all(self) -> None:
        for lane in self.lanes.values():
            lane.cancel_all(FinishReason.CANCELLED)

    async def restart(self, model: str | None) -> None:
        """Start an engine anew, whatever state it is in. Raises ModelUnknown."""
        lane = self._lane(model)
        await lane.restart()

    async def close(self) -> None:
        """Stop every worker; returns when their processes are gone."""
        self.closing = True
        self.cancel_all()
        self.lease.release_all()
        stops = [lane.supervisor.stop() for lane in self.lanes.values()]
        await asyncio.gather(*stops, *self._stopping)

    def kill_now(self) -> None:
        for lane in self.lanes.values():
            lane.supervisor.kill_now()

    def _model_of(self, request: AnyRequest) -> str:
        """The name that the request gives, else the default for its kind."""
        return self.models.default_for(request) if request.model is None else request.model

    def _lane(self, model: str | None) -> EngineLane:
        name = self._loaded_name(model)
        if name is None:
            loader, options = self.models.resolve(model)
            name = options.model
            self._make_room()
            lane = EngineLane(
                loader=loader, options=options, patience=self._patience, lease=self.lease
            )
            self.lanes[name] = lane
            self.lease.add(lane)
        self._used[name] = time.monotonic()
        return self.lanes[name]

    def _loaded_name(self, model: str | None) -> str | None:
        """The lane that answers to a name: its own, or what its engine calls itself."""
        wanted = self.models.default if model is None else model
        if wanted in self.lanes:
            return wanted
        return next((key for key, lane in self.lanes.items() if lane.engine_name == wanted), None)

    def _make_room(self) -> None:
        idle = [lane for lane in self.lanes.values() if not lane.busy]
        while len(self.lanes) >= self._engines:
            if not idle:
                raise NotReady(
                    f"All {self._engines} engines are at work.",
                    remedy="Try again in a moment, or serve with more --engines.",
                )
            oldest = min(idle, key=lambda lane: self._used[lane.model])
            idle.remove(oldest)
            del self.lanes[oldest.model]
            self.lease.remove(oldest)
            LOG.info("engine %s makes room", oldest.model)
            task = asyncio.create_task(oldest.supervisor.stop())
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    def _job_done(self, job: RequestJob) -> None:
        self._some_end.set()
        about = (job.tenant, job.request.document)
        if self._newest.get(about) is job:
            del self._newest[about]
        if job.error is not None:
            self._metrics.completion_failed(job.error.code)
            LOG.info("job %s: %s after %.0f ms", job.key, job.error.code, 1e3 * job.waited)
        if job.end is not None:
            self._metrics.completion_ended(job.end)
            LOG.info(
                "job %s: %s after %.1f ms, tokens %d+%d",
                *(job.key, job.end.finish.value, job.end.timings_ms.total),
                *(job.end.tokens.prompt, job.end.tokens.generated),
            )

    def ready_engines(self) -> int:
        states = [lane.supervisor.state for lane in self.lanes.values()]
        return states.count(EngineState.READY)
