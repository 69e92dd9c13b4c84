"""A client that goes away stops the engine within two steps, streamed or plain (F11, fault 8)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from glm_runtime.fake_engine import FakeScript
from tests.support.daemon_process import completion_request
from tests.support.local_daemon import eventually, local_daemon

pytestmark = pytest.mark.e2e

STEP_S = 0.02
STRUCTURED = completion_request(max_tokens=4096, deadline_ms=60_000).to_wire()
OPENAI = {"prompt": "x = foo(", "max_tokens": 4096}


def journal_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/glm/v1/complete", STRUCTURED),
        ("/v1/completions", {**OPENAI, "stream": True}),
        ("/v1/completions", OPENAI),
    ],
    ids=["lines", "sse", "plain"],
)
@pytest.mark.parametrize("when", ["running", "waiting"])
async def test_the_engine_stops(
    route: str,
    body: dict[str, Any],
    when: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = tmp_path / "journal"
    script = FakeScript(text="x" * 30_000, step_delay_s=STEP_S, journal=str(journal))
    for name, value in script.to_environment().items():
        monkeypatch.setenv(name, value)
    async with local_daemon() as here:
        other: asyncio.Task[Any] | None = None
        if when == "waiting":
            busy = {**STRUCTURED, "document": "another", "trigger": "explicit"}
            other = asyncio.create_task(here.http.post("/glm/v1/complete", json=busy))
            await eventually(lambda: here.pool.running == 1)
        _, writer = await asyncio.open_unix_connection(here.folders.socket)
        data = json.dumps(body).encode()
        writer.write(
            f"POST {route} HTTP/1.1\r\nhost: glm-lsp\r\ncontent-type: application/json\r\n"
            f"content-length: {len(data)}\r\n\r\n".encode()
            + data
        )
        wanted = (1, 0) if when == "running" else (1, 1)
        await eventually(lambda: (here.pool.running, here.pool.waiting) == wanted)
        if when == "running":
            await eventually(lambda: any(line["op"] == "step" for line in journal_of(journal)))
        before = sum(line["op"] == "step" for line in journal_of(journal))
        writer.close()
        if other is None:
            await eventually(lambda: not here.pool.busy, within=1.0)
            await eventually(lambda: journal_of(journal)[-1]["op"] == "cancel", within=0.5)
            await asyncio.sleep(5 * STEP_S)
            after = sum(line["op"] == "step" for line in journal_of(journal))
            assert after - before <= 2
            assert here.daemon.state.metrics.finished == {"cancelled": 1}
        else:
            await eventually(lambda: here.pool.waiting == 0, within=1.0)
            assert here.pool.running == 1
            assert sum(line["op"] == "submit" for line in journal_of(journal)) == 1
            here.pool.cancel_all()
            assert (await other).status_code == 200
