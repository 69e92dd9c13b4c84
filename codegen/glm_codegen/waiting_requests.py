"""Requests that wait for the model: explicit before automatic before background, inside that the
tenants in turn, else by arrival.

The newest request of a document is the only one that waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from glm_protocol.request_fields import Trigger
from glm_protocol.requests import AnyRequest

_ORDER = {trigger: place for place, trigger in enumerate(Trigger)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A request, whose it is, and the moment, in seconds of a monotonic clock, at which it came."""

    request: AnyRequest
    arrived: float
    tenant: str = ""

    @property
    def deadline(self) -> float:
        return self.arrived + self.request.deadline_ms / 1000

    @property
    def place(self) -> int:
        """Lower goes first."""
        return _ORDER[self.request.trigger]


class WaitingRequests:
    """Waiting requests in order of arrival; small, since the daemon bounds it."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self._turns: dict[str, int] = {}  # by tenant: when it was served last
        self._turn = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, request_id: str) -> bool:
        return any(waiting.request.id == request_id for waiting in self._waiting)

    def add(self, waiting: Waiting) -> None:
        self._waiting.append(waiting)

    def put_back(self, waiting: Waiting) -> None:
        """What `next` gave, and could not be taken up."""
        self._waiting.insert(0, waiting)

    def next(self) -> Waiting:
        """Take the first in order of service. Raises IndexError when nothing waits."""
        if not self._waiting:
            raise IndexError("nothing waits")
        # min keeps the first of equals, so the order of arrival stands.
        first = min(self._waiting, key=lambda one: (one.place, self._turns.get(one.tenant, 0)))
        self._waiting.remove(first)
        waits = {one.tenant for one in self._waiting}
        self._turns = {tenant: turn for tenant, turn in self._turns.items() if tenant in waits}
        self._turn += 1
        self._turns[first.tenant] = self._turn
        return first

    def remove(self, request_id: str) -> None:
        """Forget a request; unknown ids are ignored."""
        self._waiting = [waiting for waiting in self._waiting if waiting.request.id != request_id]

    def take_document(self, document: str) -> list[Waiting]:
        """Take out whatever waits for a document."""
        return self._take([w for w in self._waiting if w.request.document == document])

    def take_expired(self, now: float) -> list[Waiting]:
        """Take out whatever has waited past its deadline."""
        return self._take([w for w in self._waiting if w.deadline <= now])

    def _take(self, taken: list[Waiting]) -> list[Waiting]:
        for waiting in taken:
            self._waiting.remove(waiting)
        return taken
