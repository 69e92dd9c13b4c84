"""Workers that die, break, flood, or cannot load (faults 3, 4, 16, 17, 32, 33)."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from glm_daemon.answers import whole
from glm_daemon.serve_options import Patience
from glm_daemon.supervisor import EngineState
from glm_protocol.errors import EngineFailed, ModelUnusable
from glm_runtime.fake_engine import FakeScript, Fault
from tests.support.daemon_process import completion_request
from tests.support.local_daemon import LocalDaemon, eventually, local_daemon

pytestmark = pytest.mark.e2e

QUICK = Patience(backoff_first=0.02, backoff_most=0.1)


def use(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    for name, value in FakeScript(**fields).to_environment().items():
        monkeypatch.setenv(name, value)


async def text_of(here: LocalDaemon, prefix: str = "x = foo(", **fields: Any) -> str:
    return (await whole(here.pool.submit(completion_request(prefix, **fields)))).text


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.OOM])
async def test_a_request_that_had_said_nothing_is_tried_again(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, fault=fault, at_step=1, once=str(tmp_path / "marker"))
    async with local_daemon(patience=QUICK) as here:
        assert await text_of(here)
        assert here.pool.lanes["fake"].supervisor.restarts == 1


async def test_an_answer_that_can_be_said_again_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "".join(f"{number} " for number in range(40))
    use(monkeypatch, fault=Fault.CRASH, at_step=4, once=str(tmp_path / "m"), text=text)
    async with local_daemon(patience=QUICK) as here:
        assert await text_of(here) == text
        assert here.pool.lanes["fake"].supervisor.restarts == 1


async def test_a_worker_killed_in_mid_batch_costs_nobody_else_his_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that were beside the one that kills are tried once more, each alone."""
    use(monkeypatch, fault=Fault.CRASH, poison="poison", rows=4)
    async with local_daemon(patience=QUICK) as here:
        bad = here.pool.submit(completion_request("poison", document="bad"))
        others = [
            here.pool.submit(completion_request(f"value_{n} = f(", document=f"{n}"))
            for n in range(6)
        ]
        assert here.pool.running == 4
        with pytest.raises(EngineFailed, match="SIGKILL"):
            await whole(bad)
        texts = [(await whole(job)).text for job in others]
        assert all(texts)
        assert [job.attempts for job in others] == [2, 2, 2, 1, 1, 1]
        assert here.pool.lanes["fake"].supervisor.restarts == 2


async def test_a_request_that_had_begun_to_speak_by_chance_fails_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, fault=Fault.CRASH, at_step=4, once=str(tmp_path / "m"), text="x" * 80)
    async with local_daemon(patience=Patience(backoff_first=5.0)) as here:
        job = here.pool.submit(completion_request(temperature=0.7))
        with pytest.raises(EngineFailed, match="SIGKILL"):
            await asyncio.wait_for(whole(job), 2.0)
        answer = await here.http.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["state"] == "backing_off"
        assert "SIGKILL" in answer.json()["detail"]


async def test_a_request_that_kills_twice_is_not_tried_again_and_others_live(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, fault=Fault.CRASH, poison="poison")
    async with local_daemon(patience=QUICK) as here:
        bad = here.pool.submit(completion_request("poison", document="1"))
        good = here.pool.submit(completion_request("good", document="2"))
        with pytest.raises(EngineFailed):
            await whole(bad)
        assert (await whole(good)).text
        assert here.pool.lanes["fake"].supervisor.restarts == 2


async def test_a_model_that_moved_to_another_device_is_shown_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, fault=Fault.MOVE, at_step=2)
    async with local_daemon() as here:
        info = here.pool.lanes["fake"].supervisor.info
        assert info is not None
        assert info.device == "cpu"
        assert await text_of(here)
        assert await text_of(here)
        status = (await here.http.get("/glm/v1/status")).json()
        assert status["engines"][0]["info"]["device"] == "npu"


async def test_not_finite_fails_the_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, fault=Fault.NAN, poison="poison")
    async with local_daemon() as here:
        with pytest.raises(EngineFailed, match="not finite"):
            await text_of(here, "poison")
        assert await text_of(here, "good")
        assert here.pool.lanes["fake"].supervisor.restarts == 0


async def test_a_crash_loop_ends_and_can_be_started_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, crash_at_load=True)
    async with local_daemon(ready=False, patience=QUICK) as here:
        supervisor = here.pool.lanes["fake"].supervisor
        await eventually(lambda: supervisor.state is EngineState.FAILED)
        assert supervisor.restarts == 4
        answer = await here.http.get("/ready")
        assert answer.json()["state"] == "failed"
        assert "5 times" in answer.json()["detail"]
        wire = completion_request().to_wire()
        answer = await here.http.post("/glm/v1/complete", json=wire)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "engine_failed"
        use(monkeypatch)
        assert (await here.http.post("/glm/v1/restart", json={})).status_code == 202
        assert await text_of(here)


async def test_a_model_that_cannot_be_used_is_tried_once_and_named_to_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, load_error="The weights are torn.")
    async with local_daemon(ready=False, patience=QUICK) as here:
        with pytest.raises(ModelUnusable, match="torn"):
            await text_of(here)
        answer = await here.http.post("/glm/v1/complete", json=completion_request().to_wire())
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "model_unusable"
        status = (await here.http.get("/glm/v1/status")).json()["engines"][0]
        assert (status["state"], status["restarts"]) == ("unusable", 0)
        assert status["last_error"]["message"] == "The weights are torn."


async def test_a_missing_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glm_daemon.model_table.LOADERS", {"fake": "no_such_package.x:load"})
    async with local_daemon(ready=False) as here:
        with pytest.raises(ModelUnusable, match=r"not installed \(no_such_package\)"):
            await text_of(here)


async def test_a_banner_on_stdout_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, banner="Welcome!\n" * 100)
    async with local_daemon() as here:
        assert await text_of(here)


async def test_a_worker_that_loads_for_ever_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, load_delay_s=60.0)
    patience = Patience(load=0.5, ping=0.1, backoff_first=30.0)
    async with local_daemon(ready=False, patience=patience) as here:
        supervisor = here.pool.lanes["fake"].supervisor
        await eventually(lambda: supervisor.state is EngineState.BACKING_OFF)
        assert supervisor.last_error is not None
        assert "had not loaded" in supervisor.last_error.message


async def test_a_worker_that_garbles_the_pipe_is_replaced() -> None:
    async with local_daemon(patience=QUICK) as here:
        supervisor = here.pool.lanes["fake"].supervisor
        pid = supervisor.pid
        assert pid is not None
        os.kill(pid, signal.SIGSEGV)
        await eventually(lambda: supervisor.state is not EngineState.READY)
        await here.ready()
        assert supervisor.pid != pid
        assert await text_of(here)


async def test_a_pause_of_the_daemon_is_not_a_silence_of_the_worker() -> None:
    patience = Patience(ping=0.05, silence=0.2)
    async with local_daemon(patience=patience) as here:
        supervisor = here.pool.lanes["fake"].supervisor
        pid = supervisor.pid
        blocking_pause(0.6)
        await asyncio.sleep(0.3)
        assert supervisor.pid == pid
        assert supervisor.restarts == 0


def blocking_pause(seconds: float) -> None:
    """As SIGSTOP of the daemon: its loop stands still while the clock goes on."""
    import time

    time.sleep(seconds)


async def test_a_worker_that_talks_nonsense_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd_engine.py").write_text(ODD_ENGINE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr("glm_daemon.model_table.LOADERS", {"fake": "odd_engine:load"})
    async with local_daemon(ready=False, patience=QUICK) as here:
        supervisor = here.pool.lanes["fake"].supervisor
        await eventually(lambda: supervisor.state is EngineState.FAILED)
        assert supervisor.last_error is not None
        assert "nobody understands" in supervisor.last_error.message


ODD_ENGINE = """
from glm_runtime.fake_engine import FakeEngine

class Info:
    def to_wire(self):
        return {"capabilities": 1}

class Odd(FakeEngine):
    info = Info()

def load(options):
    return Odd()
"""
