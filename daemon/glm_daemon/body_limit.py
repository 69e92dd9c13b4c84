"""Reads a request's whole body, bounded in size, before any route sees the request.

Inside stands nothing but bytes; the time limit is the protocol's (`guarded_protocol`).
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glm_daemon.access import Refused
from glm_daemon.answers import error_response

MAX_BODY = 4 * 2**20  # bytes


class BodyLimit:
    """ASGI middleware. Answers 413 when there is more than `most`; what still comes is dropped."""

    def __init__(self, app: ASGIApp, *, most: int = MAX_BODY) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(scope, receive)
        except Refused as refusal:
            await error_response(refusal.error, status=refusal.status)(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body, or None when the client went away. Raises Refused."""
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > self._most:
                raise self._too_large()
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if len(body) > self._most:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> Refused:
        return Refused(
            413, f"The body is over {self._most} bytes.", remedy="Send less of the file's text."
        )


def _has_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return b"content-length" in names or b"transfer-encoding" in names


def _replay(body: bytes, receive: Receive) -> Receive:
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed
