"""Half requests, slow bodies, bodies too big, readers that do not read (F11, T-14, fault 9)."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from glm_daemon.body_limit import MAX_BODY
from glm_daemon.serve_options import Patience
from glm_runtime.fake_engine import FakeScript
from tests.support.daemon_process import completion_request
from tests.support.local_daemon import LocalDaemon, eventually, local_daemon

pytestmark = pytest.mark.e2e

SHORT = Patience(header=0.3, body=0.5, write=0.4, keep_alive=1)
POST_HEAD = b"POST /glm/v1/complete HTTP/1.1\r\nhost: glm-lsp\r\ncontent-type: application/json\r\n"
POST = POST_HEAD + b"content-length: %d\r\n\r\n"


async def connect(here: LocalDaemon) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(here.folders.socket)


@pytest.mark.parametrize(
    ("start", "drip", "limit"),
    [
        (b"", b"", SHORT.header),
        (b"GET /health HTT", b"", SHORT.header),
        (b"GET /health HTTP/1.1\r\nhost: glm-lsp\r\n", b"x-a: b\r\n", SHORT.header),
        (POST % 100, b"", SHORT.body),
        (POST % 100000, b" ", SHORT.body),
        (b"GET /health HTTP/1.1\r\nhost: glm-lsp\r\ncontent-length: 9\r\n\r\n", b"", SHORT.body),
    ],
)
async def test_half_a_request_is_cut(start: bytes, drip: bytes, limit: float) -> None:
    async with local_daemon(ready=False, patience=SHORT) as here:
        reader, writer = await connect(here)
        began = time.monotonic()
        writer.write(start)
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            assert time.monotonic() - began < limit + 1.0
            if drip and not writer.is_closing():
                writer.write(drip)
            await asyncio.sleep(0.05)
        assert time.monotonic() - began > limit * 0.9
        assert b"408" in await answer
        writer.close()


async def test_a_thousand_half_requests_leave_no_trace() -> None:
    async with local_daemon(ready=False, patience=SHORT) as here:
        writers = [(await connect(here))[1] for _ in range(200)]
        for writer in writers:
            writer.write(b"GET / HT")
        server = here.daemon.server_state
        await eventually(lambda: len(server.connections) == 0, within=SHORT.header + 2)
        assert (await here.http.get("/health")).status_code == 200
        for writer in writers:
            writer.close()


async def test_keep_alive_survives_the_header_deadline() -> None:
    async with local_daemon(ready=False, patience=SHORT) as here:
        reader, writer = await connect(here)
        for _ in range(2):
            writer.write(b"GET /health HTTP/1.1\r\nhost: glm-lsp\r\n\r\n")
            assert b"200" in await reader.readline()
            await asyncio.sleep(SHORT.header * 1.5)  # the first answer's rest lies in the buffer
            await reader.readuntil(b"}")
        writer.close()


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_too_big_is_413_and_then_cut(declared: bool) -> None:
    async with local_daemon(ready=False, patience=Patience(rest=0.3)) as here:
        reader, writer = await connect(here)
        length = b"content-length: 4000000000" if declared else b"transfer-encoding: chunked"
        writer.write(POST_HEAD + length + b"\r\n\r\n")
        piece = b"x" * 65536 if declared else b"10000\r\n" + b"x" * 65536 + b"\r\n"
        answer = asyncio.create_task(reader.readuntil(b"}}"))
        for _ in range(2 * MAX_BODY // 65536):
            writer.write(piece)
            await asyncio.sleep(0)
        text = await answer
        assert b" 413 " in text.splitlines()[0]
        assert json.loads(text.split(b"\r\n\r\n")[1])["error"]["code"] == "bad_request"
        connections = here.daemon.server_state.connections
        await eventually(lambda: len(connections) == 0, within=2)
        writer.close()


async def test_headers_too_long_are_refused() -> None:
    async with local_daemon(ready=False) as here:
        reader, writer = await connect(here)
        writer.write(b"GET /health HTTP/1.1\r\nhost: glm-lsp\r\nx: " + b"y" * 70_000)
        assert b" 400 " in await reader.readline()
        writer.close()


async def test_a_reader_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    script = FakeScript(text="x" * 30_000, rows=4)
    for name, value in script.to_environment().items():
        monkeypatch.setenv(name, value)
    async with local_daemon(patience=SHORT) as here:
        reader, writer = await asyncio.open_unix_connection(here.folders.socket, limit=1024)
        body = json.dumps(completion_request(max_tokens=4096, deadline_ms=30_000).to_wire())
        # Answers of errors are small; metrics are not: ask for many, read none.
        request = b"GET /metrics HTTP/1.1\r\nhost: glm-lsp\r\n\r\n"
        writer.write(POST % len(body) + body.encode() + request * 400)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        server = here.daemon.server_state
        await eventually(lambda: len(server.connections) == 0, within=8)
        assert here.pool.running == 0
        assert (await here.http.get("/health")).status_code == 200
        writer.close()
