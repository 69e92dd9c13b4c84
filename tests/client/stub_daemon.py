"""The daemon's routes in forty lines of asyncio, inside the test's own loop.

It records every request and does what its attributes say. The real daemon is used by the tests
marked e2e.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import Any, Self

from glm_protocol.answers import Chunk, End, FinishReason
from glm_protocol.build import build_id
from glm_protocol.folders import Folders
from glm_protocol.handshake import PROTOCOL_VERSION

Json = dict[str, Any]
ASKING = tuple(f"/glm/v1/{kind}" for kind in ("complete", "chat", "translate", "draw"))


class StubDaemon:
    """`async with StubDaemon(folders) as daemon`: listens on the folders' socket."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.text = "completed"
        self.texts: list[str] = []  # of the next answers, before `text`
        self.models: Json = {"data": []}  # answer of the list of models
        self.routes: dict[str, list[Json]] = {}  # answers of other routes; the last one stays
        self.pieces = 3  # the text comes in so many
        self.delay_s = 0.0  # before each piece
        self.build = build_id()
        self.protocol = PROTOCOL_VERSION
        self.state = "running"
        self.ready: Json = {"ready": True, "state": "ready", "detail": ""}
        self.error: tuple[int, Json] | None = None  # answer of the completion route
        self.error_line: Json | None = None  # a line in the middle of the answer
        self.cut_after: int | None = None  # pieces, then the connection is cut
        self.raw_answer: bytes | None = None
        self.requests: list[Json] = []
        self.headers: list[dict[str, str]] = []
        self.calls: list[str] = []
        self.gone = 0  # clients that left in the middle of an answer
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self.folders.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folders.socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.folders.socket)
        os.chmod(self.folders.socket, 0o600)

    async def start_tcp(self) -> str:
        """On a loopback port instead; its URL."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """As a killed daemon: connections break, the socket's file stays."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        self._writers.discard(writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = head[0].split()[1]
        self.calls.append(path)
        self.headers.append(headers)
        if path in ASKING:
            return await self._complete(json.loads(body), reader, writer)
        status, wire = self._short(path)
        await self._send(writer, status, json.dumps(wire).encode())
        return True

    def _short(self, path: str) -> tuple[int, Json]:
        if answers := self.routes.get(path):
            return 200, answers.pop(0) if len(answers) > 1 else answers[0]
        if path == "/health":
            health = {"state": self.state, "pid": os.getpid(), "version": "0", "uptime_s": 1.0}
            return 200, {**health, "build": self.build, "protocol": self.protocol}
        if path == "/ready":
            return 200 if self.ready["ready"] else 503, self.ready
        if path == "/glm/v1/shutdown":
            self.state = "draining"
            return 202, {}
        if path == "/v1/models":
            return 200, self.models
        return 200, {"pid": os.getpid()}

    async def _complete(
        self, request: Json, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        self.requests.append(request)
        if self.error is not None:
            await self._send(writer, *self.error_answer(self.error))
            return True
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        gone = asyncio.ensure_future(reader.read(1))
        for number, line in enumerate(self._lines()):
            if self.cut_after == number:
                writer.transport.abort()
                return False
            if self.delay_s:
                await asyncio.wait([gone], timeout=self.delay_s)
            if gone.done():
                gone.exception()
                self.gone += 1
                return False
            writer.write(b"%x\r\n%b\r\n" % (len(line), line))
            await writer.drain()
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await gone
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _lines(self) -> list[bytes]:
        if self.raw_answer is not None:
            return [self.raw_answer]
        text = self.texts.pop(0) if self.texts else self.text
        size = -(-len(text) // self.pieces) or 1
        texts = [text[start : start + size] for start in range(0, len(text), size)]
        wires = [Chunk(text=text).to_wire() for text in texts]
        if self.error_line is not None:
            wires.append(self.error_line)
        end = End(finish=FinishReason.STOP, model="stub")
        wires.append(Chunk(end=end).to_wire())
        # As a server might that does not escape: U+2028 must not end a line.
        return [json.dumps(wire, ensure_ascii=False).encode() + b"\n" for wire in wires]

    def error_answer(self, error: tuple[int, Json]) -> tuple[int, bytes]:
        return error[0], json.dumps(error[1]).encode()

    async def _send(self, writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()
