"""`/v1/fine_tuning/jobs` as OpenAI's clients read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from glm_daemon.finetune_jobs import FinetuneJob, FinetuneJobs
from tests.daemon.test_finetune_jobs import command
from tests.support.local_daemon import TOKEN, LocalDaemon, local_daemon

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]
JOBS = "/v1/fine_tuning/jobs"


def stand_in(job: FinetuneJob) -> Sequence[str]:
    return command(job)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[LocalDaemon]:
    async with local_daemon(tcp=True) as running:
        jobs = running.daemon.state.finetune
        assert isinstance(jobs, FinetuneJobs)
        jobs._command = stand_in
        yield running


async def ended(here: LocalDaemon, job_id: str) -> dict[str, object]:
    for _ in range(1000):
        job: dict[str, object] = (await here.http.get(f"{JOBS}/{job_id}")).json()
        if job["status"] in ("succeeded", "failed", "cancelled"):
            return job
        await asyncio.sleep(0.01)
    raise AssertionError(job)


async def test_from_create_to_the_models_name(here: LocalDaemon, tmp_path: Path) -> None:
    body = {
        "training_file": tmp_path.as_uri(), "model": "nano-code", "suffix": "wins", "seed": 3,
        "hyperparameters": {"n_epochs": 2}, "method": {"type": "supervised"},
    }  # fmt: skip
    made = (await here.http.post(JOBS, json=body)).json()
    assert made["object"] == "fine_tuning.job"
    assert made["training_file"] == str(tmp_path)
    assert made["hyperparameters"] == {"n_epochs": 2}
    job = await ended(here, made["id"])
    assert (job["status"], job["fine_tuned_model"]) == ("succeeded", "wins")
    listed = (await here.http.get(JOBS, params={"limit": 1})).json()
    assert [one["id"] for one in listed["data"]] == [made["id"]]
    [event] = (await here.http.get(f"{JOBS}/{made['id']}/events")).json()["data"]
    assert event["object"] == "fine_tuning.job.event"
    assert event["type"] == "metrics"
    arguments = event["data"]["args"]
    assert arguments[arguments.index("--epochs") + 1] == "2.0"


async def test_an_adapter_that_lost_is_no_model(here: LocalDaemon, tmp_path: Path) -> None:
    body = {"training_file": str(tmp_path), "suffix": "loses"}
    job = await ended(here, (await here.http.post(JOBS, json=body)).json()["id"])
    assert job["status"] == "succeeded"
    assert job["fine_tuned_model"] is None
    assert job["glm"] == {
        "name": "loses",
        "adapter": "loses.candidate",
        "published": False,
        "reason": "so it is",
        "receipt": {"published": False, "reason": "so it is", "training": {"tokens": 7}},
    }


async def test_a_failure_says_why(here: LocalDaemon, tmp_path: Path) -> None:
    body = {"training_file": str(tmp_path), "suffix": "bad"}
    job = await ended(here, (await here.http.post(JOBS, json=body)).json()["id"])
    assert job["error"] == {
        "code": "failed",
        "message": "There is too little to learn from.",
        "param": None,
    }


async def test_cancel(here: LocalDaemon, tmp_path: Path) -> None:
    body = {"training_file": str(tmp_path), "suffix": "slow"}
    made = (await here.http.post(JOBS, json=body)).json()
    await here.http.post(f"{JOBS}/{made['id']}/cancel", json={})
    assert (await ended(here, made["id"]))["status"] == "cancelled"


@pytest.mark.parametrize(
    "wrong",
    [
        {"training_file": "relative/folder"},
        {"training_file": "/no/such/folder"},
        {"training_file": "/tmp", "suffix": "../up"},
        {"training_file": "/tmp", "suffix": "a.candidate"},
        {"training_file": "/tmp", "hyperparameters": {"n_epochs": 0}},
        {"suffix": "x"},
    ],
)
async def test_what_is_refused(here: LocalDaemon, wrong: dict[str, object]) -> None:
    answer = await here.http.post(JOBS, json=wrong)
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"]


async def test_over_tcp_nobody_names_folders(here: LocalDaemon, tmp_path: Path) -> None:
    head = {"authorization": f"Bearer {TOKEN}"}
    base = f"http://127.0.0.1:{here.tcp_port}"
    async with httpx.AsyncClient(base_url=base, headers=head) as client:
        answer = await client.post(JOBS, json={"training_file": str(tmp_path)})
    assert answer.status_code == 422
    assert "own socket" in answer.json()["error"]["message"]
