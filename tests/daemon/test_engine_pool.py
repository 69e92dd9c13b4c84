"""Newest wins, the queue's bound, order, deadlines, room for another engine."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from glm_daemon.answers import whole
from glm_daemon.serve_options import Patience
from glm_protocol.answers import FinishReason
from glm_protocol.errors import EngineFailed, ModelUnknown, NotReady, Overloaded, Unsupported
from glm_protocol.request_fields import Trigger
from glm_runtime.fake_engine import FakeScript, Fault
from glm_runtime.model_registry import ModelRegistry
from tests.support.daemon_process import completion_request
from tests.support.local_daemon import TOKEN, eventually, local_daemon

pytestmark = pytest.mark.e2e


def use(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    for name, value in FakeScript(**fields).to_environment().items():
        monkeypatch.setenv(name, value)


async def test_the_newest_request_of_a_document_ends_the_older(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal"
    use(monkeypatch, step_delay_s=0.02, text="x" * 80, journal=str(journal))
    async with local_daemon() as here:
        jobs = [here.pool.submit(completion_request(f"{n}")) for n in range(3)]
        other = here.pool.submit(completion_request(document="file:///b.py"))
        ends = [(await whole(job)).end for job in jobs]
        reasons = [end.finish for end in ends if end]
        superseded = FinishReason.SUPERSEDED
        assert reasons == [superseded, superseded, FinishReason.STOP]
        assert len((await whole(other)).text) == 80
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        steps = [set(line["ids"]) for line in lines if line["op"] == "step"]
        stopped = {job.key for job in jobs[:2]}
        assert sum(bool(ids & stopped) for ids in steps) <= 2


async def test_a_stream_that_is_overtaken_gets_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, step_delay_s=0.02, text="x" * 800)
    async with local_daemon() as here:
        wire = completion_request(max_tokens=200).to_wire()
        older = asyncio.create_task(here.http.post("/glm/v1/complete", json=wire))
        await eventually(lambda: here.pool.running == 1)
        await asyncio.sleep(0.1)
        newer = asyncio.create_task(
            here.http.post("/glm/v1/complete", json={**wire, "max_tokens": 1})
        )
        lines = (await older).text.splitlines()
        assert json.loads(lines[-1])["end"]["finish"] == "superseded"
        assert json.loads(lines[0])["text"]
        assert json.loads((await newer).text.splitlines()[-1])["end"]["finish"] == "length"


async def test_a_full_queue_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, step_delay_s=0.02, text="x" * 800)
    async with local_daemon(queue=2) as here:
        for number in range(3):
            here.pool.submit(completion_request(document=f"{number}", max_tokens=4096))
        assert (here.pool.running, here.pool.waiting) == (1, 2)
        with pytest.raises(Overloaded):
            here.pool.submit(completion_request(document="4"))
        wire = completion_request(document="5").to_wire()
        answer = await here.http.post("/glm/v1/complete", json=wire)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["error"]["code"] == "overloaded"
        # A newer request of a waiting document takes its place, not another one.
        here.pool.submit(completion_request(document="2"))
        assert here.pool.waiting == 2
        here.pool.cancel_all()
        assert not here.pool.busy


async def test_the_urgent_overtake_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, step_delay_s=0.005)
    done: list[str] = []
    async with local_daemon() as here:
        for trigger in (Trigger.AUTOMATIC, Trigger.BACKGROUND, Trigger.AUTOMATIC, Trigger.EXPLICIT):
            job = here.pool.submit(completion_request(document=str(len(done)), trigger=trigger))
            done.append("")
            job.on_done.append(lambda job: done.append(job.request.trigger.value))
        await eventually(lambda: not here.pool.busy)
    assert done[4:] == ["automatic", "explicit", "automatic", "background"]


async def test_deadline_of_one_that_waits_and_of_one_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, step_delay_s=0.02, text="x" * 8000)
    async with local_daemon() as here:
        working = here.pool.submit(
            completion_request(document="1", deadline_ms=300, max_tokens=4096)
        )
        waiting = here.pool.submit(completion_request(document="2", deadline_ms=100))
        early, late = await asyncio.gather(whole(waiting), whole(working))
        assert early.end is not None
        assert late.end is not None
        assert (early.text, early.end.finish) == ("", FinishReason.DEADLINE)
        assert 80 < early.end.timings_ms.total < 250
        assert late.text
        assert late.end.finish is FinishReason.DEADLINE


async def test_an_engine_that_hangs_fails_the_request_and_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, fault=Fault.HANG, at_step=2, once=str(tmp_path / "marker"))
    patience = Patience(overdue=0.2, ping=0.1, silence=0.6, backoff_first=0.05)
    async with local_daemon(patience=patience) as here:
        first = here.pool.submit(completion_request(deadline_ms=100))
        with pytest.raises(EngineFailed, match="in time"):
            await whole(first)
        assert 0.25 < first.waited < 1.0
        second = here.pool.submit(completion_request(deadline_ms=10_000))
        assert (await whole(second)).text
        supervisor = here.pool.lanes["fake"].supervisor
        assert supervisor.restarts == 1
        assert supervisor.last_error is not None
        assert "did not answer" in supervisor.last_error.message


async def test_before_the_model_is_loaded_requests_wait_or_hear_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, load_delay_s=0.5)
    async with local_daemon(ready=False) as here:
        answer = await here.http.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["state"] == "starting"
        patient = here.pool.submit(completion_request(document="1"))
        with pytest.raises(NotReady, match="starting"):
            await whole(here.pool.submit(completion_request(document="2", deadline_ms=50)))
        assert (await whole(patient)).text
        assert (await here.http.get("/ready")).json()["ready"] is True


async def test_names(tmp_path: Path) -> None:
    async with local_daemon() as here:
        assert (await whole(here.pool.submit(completion_request(model="fake")))).text
        for name in ("nano-code", "/etc", "no/such", ""):
            with pytest.raises(ModelUnknown):
                here.pool.submit(completion_request(model=name))
        listed = (await here.http.get("/v1/models")).json()["data"]
        assert [model["id"] for model in listed] == ["fake"]
        assert listed[0]["glm"]["default"] is True
        assert listed[0]["glm"]["info"]["family"] == "code"


async def test_the_registry_decides_and_changes_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glm_daemon.model_table.LOADERS", {"code": FAKE_LOADER})
    async with local_daemon(ready=False, model=None, engines=2) as here:
        registry = ModelRegistry(here.folders.registry)
        assert here.pool.models.default == "nano-code"
        for name in "abc":
            (tmp_path / name).mkdir()
            registry.add(name, str(tmp_path / name))
        registry.set_default("a")
        assert here.pool.models.default == "a"
        assert set("abc") <= set(here.pool.models.names())
        for name in "abc":
            assert (await whole(here.pool.submit(completion_request(model=name)))).text
        assert len(here.pool.lanes) == 2
        assert "c" in here.pool.lanes
        registry.remove("b")
        here.folders.registry.write_text("torn")
        assert here.pool.models.default == "nano-code"


async def test_busy_engines_are_not_stopped_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, step_delay_s=0.02, text="x" * 8000)
    monkeypatch.setattr("glm_daemon.model_table.LOADERS", {"code": FAKE_LOADER})
    async with local_daemon(ready=False, model=None, engines=1) as here:
        (tmp_path / "a").mkdir()
        ModelRegistry(here.folders.registry).add("a", str(tmp_path / "a"))
        here.pool.submit(completion_request(max_tokens=4096))
        with pytest.raises(NotReady, match="at work"):
            here.pool.submit(completion_request(model="a", document="2"))


FAKE_LOADER = "glm_runtime.fake_engine:load_engine"


async def test_a_family_without_an_engine_is_said_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("glm_daemon.model_table.LOADERS", {})
    async with local_daemon(ready=False) as here:
        with pytest.raises(Unsupported):
            here.pool.submit(completion_request())
        assert (await here.http.get("/ready")).json()["state"] == "stopped"


async def test_a_worker_in_a_long_step_sees_the_last_keystroke_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal"
    use(monkeypatch, step_delay_s=0.2, journal=str(journal))
    async with local_daemon() as here:
        jobs = []
        for number in range(1000):
            jobs.append(here.pool.submit(completion_request(f"{number}", document="d")))
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert (here.pool.running, here.pool.waiting) == (0, 1)
        last = await whole(jobs[-1])
        assert last.end is not None
        assert last.end.finish is FinishReason.STOP
        assert {(await job.next()).end is not None for job in jobs[:-1]} == {True}
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        assert 2 <= [line["op"] for line in lines].count("submit") <= 5


async def test_documents_of_two_tenants_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, rows=4)
    async with local_daemon() as here:
        jobs = [here.pool.submit(completion_request(), tenant=tenant) for tenant in ("a", "b", "")]
        ends = [(await whole(job)).end for job in jobs]
        assert [end.finish for end in ends if end] == [FinishReason.STOP] * 3


async def test_a_worker_is_told_whose_a_request_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tenant on the unix socket, one for each address on TCP, whatever a body says."""
    journal = tmp_path / "journal"
    use(monkeypatch, journal=str(journal))
    async with local_daemon(tcp=True) as here:
        wire = completion_request().to_wire()
        assert (await here.http.post("/glm/v1/complete", json=wire)).status_code == 200
        url = f"http://127.0.0.1:{here.tcp_port}/glm/v1/complete"
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(url, json=wire, headers=headers)
            assert answer.status_code == 200
            mine = {**wire, "tenant": "another"}
            assert (await client.post(url, json=mine, headers=headers)).status_code == 400
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    told = [line["tenant"] for line in lines if line["op"] == "submit"]
    assert told == ["", "tcp:127.0.0.1"]


async def test_nothing_leaks_between_requests_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of the fake engine depend on their request alone: rows beside each other, some
    cancelled in the middle, give what each gives alone."""
    use(monkeypatch, rows=8)
    canaries = [f"canary_{number} = f({number}, " for number in range(12)]
    async with local_daemon() as here:
        alone = [(await whole(here.pool.submit(completion_request(c)))).text for c in canaries]
        assert len(set(alone)) == len(canaries)
        jobs = [
            here.pool.submit(completion_request(canary, document=canary), tenant=canary[-3:])
            for canary in canaries
        ]
        for job in jobs[::4]:
            here.pool.cancel(job)
        for number, job in enumerate(jobs):
            text = (await whole(job)).text
            assert text == ("" if number % 4 == 0 else alone[number])


async def test_background_requests_leave_rows_free(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, rows=4, step_delay_s=0.01, text="x" * 400)
    async with local_daemon() as here:
        for number in range(6):
            late = completion_request(
                document=f"{number}", max_tokens=50, trigger=Trigger.BACKGROUND
            )
            here.pool.submit(late)
        assert here.pool.running == 2
        here.pool.submit(completion_request(document="now", max_tokens=1))
        assert here.pool.running == 3
