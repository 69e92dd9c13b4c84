"""One request inside the daemon, from arrival to its end; the meeting point of route and lane.

The lane feeds pieces, an end or an error; the route takes them with `next`. What a slow reader
has not taken yet is joined, so it is bounded by the answer's length. No policy here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from glm_protocol.answers import Chunk, End, FinishReason, Timings, TokenCounts
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import EngineFailed, GlmError
from glm_protocol.remembering import RememberRequest
from glm_protocol.request_fields import Trigger
from glm_protocol.requests import AnyRequest

PRIORITY = {Trigger.EXPLICIT: 0, Trigger.AUTOMATIC: 1, Trigger.BACKGROUND: 2}


class RequestJob:
    """State of one request. Ends exactly once: by `finish` or `fail`, whichever comes first."""

    def __init__(self, *, key: str, request: AnyRequest, lane: str = "", tenant: str = "") -> None:
        """`lane` is the model that was chosen for it, `tenant` whose it is."""
        self.key = key  # unique in this daemon; a client's ids are not
        self.request = request
        self.lane = lane
        self.tenant = tenant
        self.priority = PRIORITY[request.trigger]
        self.arrived = time.monotonic()
        self.submitted: float | None = None  # to the worker, last time
        self.first_text: float | None = None
        self.attempts = 0
        self.end: End | None = None
        self.error: GlmError | None = None
        self.on_done: list[Callable[[RequestJob], None]] = []
        self._said = ""  # text fed so far, over all attempts
        self._owed = ""  # what a further attempt has to say again before anything is new
        self._pending: list[Chunk] = []
        self._news = asyncio.Event()

    @property
    def done(self) -> bool:
        return self.end is not None or self.error is not None

    @property
    def waited(self) -> float:
        """Seconds from arrival until now."""
        return time.monotonic() - self.arrived

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; negative beyond it."""
        return self.request.deadline_ms / 1e3 - self.waited

    @property
    def repeatable(self) -> bool:
        """Whether another attempt says the same: greedy, or with a seed, and words alone."""
        asked = self.request
        if isinstance(asked, DrawRequest | RememberRequest):
            return False
        return asked.temperature == 0 or asked.seed is not None

    def begin_attempt(self) -> None:
        self.attempts += 1
        self._owed = self._said
        self.submitted = time.monotonic()

    def for_worker(self) -> AnyRequest:
        """The request with the daemon's key for its id and the time that is left."""
        left = max(1, int(1e3 * self.remaining))
        return replace(self.request, id=self.key, deadline_ms=left)

    def feed(self, chunk: Chunk) -> None:
        if self.done:
            return
        if self._owed and not self._repeats(chunk):
            self.fail(EngineFailed("The engine's process ended in the middle of the answer."))
            return
        given = min(len(chunk.text), len(self._owed))
        self._owed = self._owed[given:]
        chunk = replace(chunk, text=chunk.text[given:])
        self._said += chunk.text
        if chunk.text or chunk.image or chunk.progress is not None:
            if self.first_text is None:
                self.first_text = time.monotonic()
            self._keep(replace(chunk, end=None))
            self._news.set()
        if chunk.end is not None:
            self._close(end=replace(chunk.end, timings_ms=self._timings(chunk.end.timings_ms)))

    def finish(self, reason: FinishReason, *, model: str) -> None:
        """End without the engine's word: cancelled, superseded, or never begun in time."""
        if not self.done:
            tokens = TokenCounts()
            end = End(finish=reason, model=model, adapter=self.request.adapter)
            self._close(end=replace(end, timings_ms=self._timings(Timings()), tokens=tokens))

    def fail(self, error: GlmError) -> None:
        if not self.done:
            self._close(error=error)

    async def next(self) -> Chunk:
        """What is new: a piece, or the end with the last piece. Raises GlmError if it failed.

        One caller at a time. After the end or the error it must not be called again.
        """
        await self._news.wait()
        if len(self._pending) > 1:
            return self._pending.pop(0)
        if self.error is not None and not self._pending:
            raise self.error
        chunk = self._pending.pop() if self._pending else Chunk()
        if not self.done:
            self._news.clear()
        return replace(chunk, end=self.end)

    def _repeats(self, chunk: Chunk) -> bool:
        """Whether a chunk is a part of what is owed, or more than it."""
        text, owed = chunk.text, self._owed
        ends_early = chunk.end is not None and len(text) < len(owed)
        return not ends_early and (owed.startswith(text) or text.startswith(owed))

    def _keep(self, chunk: Chunk) -> None:
        """Join it to what waits; a picture stays a piece of its own."""
        last = self._pending[-1] if self._pending else None
        if last is None or last.image or chunk.image:
            self._pending.append(chunk)
        else:
            joined, progress = last.text + chunk.text, chunk.progress or last.progress
            if progress is not None and not progress.preview and last.progress is not None:
                progress = replace(progress, preview=last.progress.preview)
            self._pending[-1] = Chunk(text=joined, progress=progress)

    def _close(self, *, end: End | None = None, error: GlmError | None = None) -> None:
        self.end, self.error = end, error
        self._news.set()
        for callback in self.on_done:
            callback(self)

    def _timings(self, engine: Timings) -> Timings:
        """The engine counts from `submit`; the caller, from arrival here."""
        submitted = self.arrived if self.submitted is None else self.submitted
        queue = 1e3 * (submitted - self.arrived) if self.submitted else 1e3 * self.waited
        first = 1e3 * (self.first_text - self.arrived) if self.first_text else 0.0
        return replace(
            engine, queue=engine.queue + queue, first_text=first, total=1e3 * self.waited
        )
