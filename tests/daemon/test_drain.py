"""The orderly end, seen from inside: what is at work, what comes late (fault 6)."""

from __future__ import annotations

import asyncio
import json

import pytest

from glm_daemon.serve_options import Patience
from glm_runtime.fake_engine import FakeScript
from tests.support.daemon_process import completion_request
from tests.support.local_daemon import eventually, local_daemon

pytestmark = pytest.mark.e2e


async def test_streams_too_long_for_the_drain_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    script = FakeScript(text="x" * 30_000, step_delay_s=0.02)
    for name, value in script.to_environment().items():
        monkeypatch.setenv(name, value)
    async with local_daemon(patience=Patience(drain=0.3)) as here:
        wires = [completion_request(document=name, max_tokens=4096).to_wire() for name in "ab"]
        answers = [
            asyncio.create_task(here.http.post("/glm/v1/complete", json=wire)) for wire in wires
        ]
        await eventually(lambda: (here.pool.running, here.pool.waiting) == (1, 1))
        await asyncio.sleep(0.1)
        here.daemon.begin_drain()
        late = await here.http.post("/glm/v1/complete", json=wires[0])
        assert (late.status_code, late.json()["error"]["code"]) == (503, "not_ready")
        assert (await here.http.get("/health")).json()["state"] == "draining"
        assert (await here.http.get("/ready")).status_code == 503
        for answer in await asyncio.gather(*answers):
            last = json.loads(answer.text.splitlines()[-1])
            assert last["end"]["finish"] == "cancelled"


async def test_nobody_can_connect_while_the_workers_end() -> None:
    async with local_daemon() as here:
        ended = asyncio.Event()
        at_end: list[bool] = []

        async def close() -> None:
            at_end.append(here.daemon.listening)
            await pool_close()
            ended.set()

        pool_close, here.pool.close = here.pool.close, close  # type: ignore[method-assign]
        assert here.daemon.listening
        here.daemon.begin_drain()
        await asyncio.wait_for(ended.wait(), 5)
        assert at_end == [False]


async def test_patience_of_the_drain_is_under_ten_seconds() -> None:
    patience = Patience()
    assert patience.drain + patience.stop < 10.5
