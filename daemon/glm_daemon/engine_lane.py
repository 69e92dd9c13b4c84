"""One engine's requests: who waits, who is at work on its worker, who is done.

Hands over at most `EngineInfo.rows` requests at a time, so that order and deadlines of those
that wait stay here, where a newer or more urgent one can still overtake them. The row of a
cancelled one is free when the worker says so: thus a worker in a long step is not flooded, and
of a hundred keystrokes during that step it sees the last.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time

from glm_daemon.device_lease import DeviceLease, Rank, rank_of
from glm_daemon.pipe import Message
from glm_daemon.request_job import RequestJob
from glm_daemon.request_queue import RequestQueue
from glm_daemon.serve_options import Patience
from glm_daemon.supervisor import EngineState, Supervisor
from glm_protocol.answers import Chunk, FinishReason
from glm_protocol.errors import EngineFailed, GlmError, NotReady, PromptTooLong, from_wire
from glm_protocol.request_fields import Trigger
from glm_runtime.engine import EngineOptions

LOG = logging.getLogger(__name__)
MAX_ATTEMPTS = 2  # a request that kills the worker twice is not tried again


class EngineLane:
    """Queue, rows and supervisor of one model."""

    def __init__(
        self,
        *,
        loader: str,
        options: EngineOptions,
        patience: Patience,
        lease: DeviceLease | None = None,
    ) -> None:
        self.model = options.model
        self._lease = lease or DeviceLease()
        self.supervisor = Supervisor(
            loader=loader, options=options, listener=self, patience=patience, lease=self._lease
        )
        self._patience = patience
        self._queue = RequestQueue()
        self._running: dict[str, RequestJob] = {}
        self._leaving: dict[str, float] = {}  # cancelled, not confirmed; since when
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def busy(self) -> bool:
        return bool(self._running) or self.waiting > 0

    @property
    def rank(self) -> Rank | None:
        """Of the most urgent request at the engine."""
        return min((rank_of(job.request) for job in self._running.values()), default=None)

    @property
    def on_cpu(self) -> bool:
        info = self.supervisor.info
        return info is not None and info.device == "cpu"

    @property
    def pids(self) -> tuple[int, ...]:
        return () if self.supervisor.pid is None else (self.supervisor.pid,)

    @property
    def free_row(self) -> bool:
        """True when a job submitted now would start now."""
        return self._free_rows > 0 and not self.waiting

    @property
    def _rows(self) -> int:
        info = self.supervisor.info
        return 0 if info is None else info.rows

    @property
    def _free_rows(self) -> int:
        return self._rows - len(self._running) - len(self._leaving)

    @property
    def engine_name(self) -> str:
        """What the engine calls itself once it is loaded."""
        return self.supervisor.info.model if self.supervisor.info else self.model

    def submit(self, job: RequestJob) -> None:
        """Queue it and start what can be started. Raises GlmError when the engine is unusable."""
        if refusal := self.supervisor.refusal:
            raise refusal
        self.supervisor.start()
        job.on_done.append(self._job_done)
        loop = asyncio.get_running_loop()
        self._timers[job.key] = loop.call_later(max(0.0, job.remaining), self._deadline, job)
        self._queue.push(job)
        self._pump()

    def cancel_all(self, reason: FinishReason) -> None:
        for job in [*self._queue.jobs(), *self._running.values()]:
            job.finish(reason, model=self.engine_name)

    async def restart(self) -> None:
        """Stop the worker and start another; requests at work go on there if nothing was said."""
        await self.supervisor.stop()
        self.worker_down()
        self.supervisor.start()

    def worker_ready(self) -> None:
        self._pump()

    def worker_said(self, message: Message) -> None:
        if message["op"] == "cancelled":
            self._leaving.pop(str(message["id"]), None)
            self._pump()
            return
        job = self._running.get(str(message.get("id")))
        if job is None:  # cancelled while the chunk was on its way
            return
        if message["op"] == "error":
            del self._running[job.key]
            job.fail(from_wire(message))
        elif message["op"] == "chunk":
            chunk = Chunk.from_wire(message["chunk"])
            if chunk.end is not None:
                del self._running[job.key]
            job.feed(chunk)

    def worker_down(self) -> None:
        refusal = self.supervisor.refusal
        lost, self._running = list(self._running.values()), {}
        self._lease.update()
        self._leaving.clear()
        for job in lost:
            silent = job.first_text is None
            again = (silent or job.repeatable) and job.attempts < MAX_ATTEMPTS and refusal is None
            if again:
                self._queue.push_again(job)
            else:
                job.fail(refusal or self._failure())
        if refusal is not None:
            for job in self._queue.jobs():
                job.fail(refusal)

    def _failure(self) -> GlmError:
        error = self.supervisor.last_error
        return EngineFailed(error.message if error else "The engine's process ended.")

    def _pump(self) -> None:
        while self._free_rows > 0:
            job = self._queue.peek()
            if job is None or not self._may_start(job):
                return
            self._queue.pop()
            self._hand_over(job)
            self._lease.update()

    def _may_start(self, job: RequestJob) -> bool:
        """One that was at work when a worker died runs alone: it may have been what killed it, and
        the others would not be tried a third time. What nobody waits for leaves rows free."""
        if job.attempts > 0:
            return not self._running and not self._leaving
        if any(other.attempts > 1 for other in self._running.values()):
            return False
        if job.request.trigger is not Trigger.BACKGROUND:
            return True
        late = [one for one in self._running.values() if one.priority == job.priority]
        return len(late) < max(1, self._rows // 2)

    def _hand_over(self, job: RequestJob) -> None:
        job.begin_attempt()
        self._running[job.key] = job
        try:
            self.supervisor.send(
                {
                    "op": "submit",
                    "kind": job.request.kind,
                    "request": job.for_worker().to_wire(),
                    "tenant": job.tenant,
                }
            )
        except ValueError:
            del self._running[job.key]
            job.fail(PromptTooLong("The request is too big to be handed to the engine."))

    def _deadline(self, job: RequestJob) -> None:
        """At the deadline the engine should end the job; later we do."""
        if job.key in self._running and job.waited < self._overdue(job):
            loop = asyncio.get_running_loop()
            delay = self._overdue(job) - job.waited
            self._timers[job.key] = loop.call_later(delay, self._deadline, job)
        elif job.key in self._running:
            LOG.error("job %s is overdue", job.key)
            job.fail(EngineFailed("The engine did not answer in time."))
        elif self._stuck:
            job.fail(EngineFailed("The engine does not answer."))
        elif self.supervisor.state is EngineState.READY:
            job.finish(FinishReason.DEADLINE, model=self.engine_name)
        else:
            state = self.supervisor.state.replace("_", " ")
            job.fail(NotReady(f"The model was not ready before the deadline (it is {state})."))

    @property
    def _stuck(self) -> bool:
        """A cancelled request has kept its row for longer than any step should take."""
        since = min(self._leaving.values(), default=math.inf)
        return time.monotonic() - since > self._patience.overdue

    def _overdue(self, job: RequestJob) -> float:
        return job.request.deadline_ms / 1e3 + self._patience.overdue

    def _job_done(self, job: RequestJob) -> None:
        if timer := self._timers.pop(job.key, None):
            timer.cancel()
        if self._running.pop(job.key, None):  # ended by us, not by the engine
            self._leaving[job.key] = time.monotonic()
            self.supervisor.send({"op": "cancel", "id": job.key})
        self._queue.drop_done()
        self._pump()
        self._lease.update()
