"""Reads a request's whole body, bounded in size, before any route sees the request.

Inside stands nothing but bytes; the time limit is the protocol's (`guarded_protocol`).
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glm_daemon.access import Refused
from glm_daemon.answers import error_response

MAX_BODY = 4 * 2**20  # bytes
MAX_PICTURES = 14 * 2**20  # bytes; what a worker's pipe takes, where pictures are sent
PICTURE_PATHS = frozenset(
    {"/glm/v1/chat", "/glm/v1/draw", "/v1/chat/completions", "/v1/images/edits"}
)


class BodyLimit:
    """ASGI middleware. Answers 413 when there is more than `most`; what still comes is dropped."""

    def __init__(self, app: ASGIApp, *, most: int = MAX_BODY, pictures: int = MAX_PICTURES) -> None:
        self._app = app
        self._most = most
        self._pictures = pictures

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
        most = self._pictures if scope["path"] in PICTURE_PATHS else self._most
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > most:
                raise _too_large(most)
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if len(body) > most:
                raise _too_large(most)
            if not message.get("more_body", False):
                return bytes(body)


def _too_large(most: int) -> Refused:
    remedy = "Send less of the file's text, or smaller pictures."
    return Refused(413, f"The body is over {most} bytes.", remedy=remedy)


def _has_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return b"content-length" in names or b"transfer-encoding" in names


def _replay(body: bytes, receive: Receive) -> Receive:
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed
