"""Who waits, in which order: explicit before automatic before background, inside that the tenants
in turn, and of one tenant first come.

A plain structure without time or tasks; the bound over all engines is the pool's.
"""

from __future__ import annotations

from collections import deque

from glm_daemon.request_job import PRIORITY, RequestJob


class RequestQueue:
    """Jobs that wait for one engine. A job that is done already is skipped, never returned."""

    def __init__(self) -> None:
        # By priority: each tenant's jobs, the tenant whose turn it is first.
        self._waiting: dict[int, dict[str, deque[RequestJob]]] = {
            priority: {} for priority in sorted(PRIORITY.values())
        }

    def __len__(self) -> int:
        return len(self.jobs())

    def push(self, job: RequestJob) -> None:
        self._waiting[job.priority].setdefault(job.tenant, deque()).append(job)

    def push_again(self, job: RequestJob) -> None:
        """Back at the front of its priority: it has waited its turn already."""
        tenants = self._waiting[job.priority]
        mine = tenants.pop(job.tenant, deque())
        mine.appendleft(job)
        self._waiting[job.priority] = {job.tenant: mine, **tenants}

    def peek(self) -> RequestJob | None:
        """The next job that still wants an answer, or None; it stays."""
        self.drop_done()
        for tenants in self._waiting.values():
            for mine in tenants.values():
                return mine[0]
        return None

    def pop(self) -> RequestJob | None:
        """Take the next job; its tenant's further ones come after the others'."""
        job = self.peek()
        if job is not None:
            tenants = self._waiting[job.priority]
            mine = tenants.pop(job.tenant)
            mine.popleft()
            if mine:
                tenants[job.tenant] = mine
        return job

    def drop_done(self) -> None:
        """Free what ended while it waited."""
        for priority, tenants in self._waiting.items():
            kept = {
                tenant: deque(job for job in mine if not job.done)
                for tenant, mine in tenants.items()
            }
            self._waiting[priority] = {tenant: mine for tenant, mine in kept.items() if mine}

    def jobs(self) -> list[RequestJob]:
        return [
            job
            for tenants in self._waiting.values()
            for mine in tenants.values()
            for job in mine
            if not job.done
        ]
