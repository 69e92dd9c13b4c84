"""Who waits, in which order: explicit before automatic before background, then first come.

A plain structure without time or tasks; the bound over all engines is the pool's.
"""

from __future__ import annotations

import heapq
from itertools import count

from glm_daemon.request_job import RequestJob


class RequestQueue:
    """Jobs that wait for one engine. A job that is done already is skipped, never returned."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, RequestJob]] = []
        self._order = count()

    def __len__(self) -> int:
        return sum(1 for _, _, job in self._heap if not job.done)

    def push(self, job: RequestJob) -> None:
        heapq.heappush(self._heap, (job.priority, next(self._order), job))

    def push_again(self, job: RequestJob) -> None:
        """Back at the front of its priority: it has waited its turn already."""
        heapq.heappush(self._heap, (job.priority, -next(self._order), job))

    def pop(self) -> RequestJob | None:
        """The next job that still wants an answer, or None."""
        while self._heap:
            _, _, job = heapq.heappop(self._heap)
            if not job.done:
                return job
        return None

    def drop_done(self) -> None:
        """Free what ended while it waited; called when a job ends, so the heap stays small."""
        kept = [entry for entry in self._heap if not entry[2].done]
        if len(kept) < len(self._heap):
            heapq.heapify(kept)
            self._heap = kept

    def jobs(self) -> list[RequestJob]:
        return [job for _, _, job in self._heap if not job.done]
