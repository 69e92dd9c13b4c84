"""What goes back over HTTP: errors, and the answers that end a job when the client goes away.

A client that goes away is noticed on plain and streamed answers alike (F11): while the job
runs, a second task waits for `http.disconnect` and ends the job, which cancels it in the worker.
"""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from glm_daemon.request_job import RequestJob
from glm_protocol.answers import Chunk, FinishReason
from glm_protocol.errors import EngineFailed, GlmError, NotReady, Overloaded

RETRY_AFTER_S = 1  # seconds, for states that pass by themselves


def error_response(error: GlmError, *, status: int | None = None) -> JSONResponse:
    """The error as JSON: our wire form, plus the `type` that OpenAI's clients read."""
    code = error.http_status if status is None else status
    wire = error.to_wire()
    wire["error"]["type"] = "server_error" if code >= 500 else "invalid_request_error"
    headers = {"cache-control": "no-store"}
    if isinstance(error, Overloaded):
        headers["retry-after"] = str(error.retry_after_s)
    elif isinstance(error, NotReady | EngineFailed):
        headers["retry-after"] = str(RETRY_AFTER_S)
    if code == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(wire, status_code=code, headers=headers)


class JobAnswer(Response):
    """ASGI answer from a running job. A GlmError before the first byte is the app's to send."""

    def __init__(self, job: RequestJob, *, model: str) -> None:
        super().__init__()
        self.job = job
        self.model = model

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        watcher = asyncio.create_task(self._end_when_gone(receive))
        try:
            await self.deliver(send)
        finally:
            watcher.cancel()
            self._end()

    @abstractmethod
    async def deliver(self, send: Send) -> None:
        """Take the job's chunks and send them."""

    async def _end_when_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._end()

    def _end(self) -> None:
        self.job.finish(FinishReason.CANCELLED, model=self.model)


class StreamAnswer(JobAnswer):
    """A body sent piece by piece, each at once. Subclasses say how a chunk is written."""

    content_type = "application/octet-stream"

    def encode(self, chunk: Chunk) -> bytes:
        raise NotImplementedError

    def encode_error(self, error: GlmError) -> bytes:
        raise NotImplementedError

    async def deliver(self, send: Send) -> None:
        chunk = await self.job.next()
        await send_start(send, self.content_type)
        while chunk.end is None:
            await send_part(send, self.encode(chunk))
            try:
                chunk = await self.job.next()
            except GlmError as error:
                await send_part(send, self.encode_error(error), last=True)
                return
        await send_part(send, self.encode(chunk), last=True)


class LinesAnswer(StreamAnswer):
    """One JSON object a line: `Chunk.to_wire()`, or `{"error": …}` as the last."""

    content_type = "application/x-ndjson"

    def encode(self, chunk: Chunk) -> bytes:
        return json_line(chunk.to_wire())

    def encode_error(self, error: GlmError) -> bytes:
        return json_line(error.to_wire())


async def whole(job: RequestJob) -> Chunk:
    """All text of a job and its end, in one chunk. Raises GlmError."""
    text = ""
    while True:
        chunk = await job.next()
        text += chunk.text
        if chunk.end is not None:
            return Chunk(text=text, end=chunk.end)


async def send_start(send: Send, content_type: str) -> None:
    """Status 200 and the headers of an answer."""
    headers = [(b"content-type", content_type.encode("ascii")), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def send_part(send: Send, body: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not last})


def json_line(value: dict[str, Any]) -> bytes:
    """ASCII, so that a lone surrogate in a text survives as an escape."""
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
