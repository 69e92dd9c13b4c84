"""Fine-tuning jobs with a stand-in for the training process: order, ends, pauses, restarts."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from glm_daemon.device_lease import DeviceLease, ProcessHolder, Rank
from glm_daemon.finetune_jobs import FinetuneJob, FinetuneJobs, JobState
from glm_protocol.errors import BadRequest

# What a job does is in its adapter's name. It is told where to write events, as the real one is.
STAND_IN = """
import json, pathlib, signal, sys, time
name = sys.argv[sys.argv.index("--name") + 1]
events = pathlib.Path(sys.argv[sys.argv.index("--events") + 1])
with events.open("a") as stream:
    said = {"kind": "step", "at": 1, "line": "step 1/2", "args": sys.argv}
    stream.write(json.dumps(said) + "\\n")
if name.startswith("slow"):
    run = pathlib.Path(sys.argv[1]).parent / "finetune" / name
    run.mkdir(parents=True, exist_ok=True)
    (run / "run.json").write_text("{}")
    def end(*_):
        sys.exit(130)
    signal.signal(signal.SIGTERM, end)
    while "--resume" not in sys.argv:
        time.sleep(0.01)
if name.startswith("bad"):
    print("glm-lsp: There is too little to learn from.", file=sys.stderr)
    sys.exit(1)
if name.startswith("killed"):
    import os
    os.kill(os.getpid(), signal.SIGKILL)
wins = not name.startswith("loses")
print(json.dumps({"published": wins, "reason": "so it is", "training": {"tokens": 7}}))
"""


def command(job: FinetuneJob) -> Sequence[str]:
    return [sys.executable, "-c", STAND_IN, *job.arguments()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "repository").mkdir()
    return tmp_path


def book(home: Path, lease: DeviceLease | None = None) -> FinetuneJobs:
    jobs = FinetuneJobs(home, lease or DeviceLease(), command=command)
    jobs.open()
    return jobs


def wanted(home: Path, name: str) -> FinetuneJob:
    return FinetuneJob(id="", repository=str(home / "repository"), name=name, model=None)


async def reach(jobs: FinetuneJobs, job_id: str, *states: JobState) -> FinetuneJob:
    for _ in range(3000):
        if (job := jobs.get(job_id)).state in states:
            return job
        await asyncio.sleep(0.01)
    raise AssertionError(f"{job.state} instead of {states}")


async def process_of(jobs: FinetuneJobs) -> psutil.Process:
    while jobs._process is None:
        await asyncio.sleep(0.01)
    return psutil.Process(jobs._process.pid)


async def test_jobs_run_one_after_another_and_say_what_came_of_them(home: Path) -> None:
    jobs = book(home)
    made = [jobs.create(wanted(home, name)) for name in ("wins", "loses", "bad", "killed")]
    ends = [await reach(jobs, job.id, JobState.SUCCEEDED, JobState.FAILED) for job in made]
    assert [job.state for job in ends] == [JobState.SUCCEEDED] * 2 + [JobState.FAILED] * 2
    assert [job.adapter for job in ends] == ["wins", "loses.candidate", None, None]
    assert [job.published for job in ends] == [True, False, False, False]
    assert ends[0].trained_tokens == 7
    assert ends[2].message == "There is too little to learn from."
    assert "killed (signal 9)" in ends[3].message
    assert [event["kind"] for event in jobs.events(made[0].id)] == ["step"]
    assert not jobs.busy
    assert (home / "jobs").stat().st_mode & 0o777 == 0o700
    await jobs.close()


async def test_a_second_job_of_a_name_and_a_folder_that_is_none_are_refused(home: Path) -> None:
    jobs = book(home)
    first = jobs.create(wanted(home, "slow"))
    with pytest.raises(BadRequest, match="at work or waits"):
        jobs.create(wanted(home, "slow"))
    with pytest.raises(BadRequest, match="no folder"):
        jobs.create(FinetuneJob(id="", repository="/no/such", name="x", model=None))
    await reach(jobs, first.id, JobState.RUNNING)
    waiting = jobs.create(wanted(home, "wins"))
    assert jobs.cancel(waiting.id).state is JobState.CANCELLED
    await process_of(jobs)
    jobs.cancel(first.id)
    assert (await reach(jobs, first.id, JobState.CANCELLED)).finished is not None
    assert not jobs.busy
    await jobs.close()


async def test_a_job_goes_on_with_the_next_daemon(home: Path) -> None:
    jobs = book(home)
    made = jobs.create(wanted(home, "slow"))
    await process_of(jobs)
    while not (home / "finetune" / "slow" / "run.json").exists():
        await asyncio.sleep(0.01)
    await jobs.close()
    stored = json.loads((home / "jobs" / f"{made.id}.json").read_text())
    assert stored["state"] == "queued"
    again = book(home)
    assert (await reach(again, made.id, JobState.SUCCEEDED)).published
    assert "--resume" in again.events(made.id)[-1]["args"]
    await again.close()


async def test_it_stands_still_while_a_completion_is_at_work(home: Path) -> None:
    lease = DeviceLease()
    jobs = book(home, lease)
    made = jobs.create(wanted(home, "slow"))
    process = await process_of(jobs)
    completion = ProcessHolder(pid=lambda: (), rank=Rank.COMPLETION)
    lease.add(completion)
    for _ in range(500):
        if process.status() == psutil.STATUS_STOPPED:
            break
        await asyncio.sleep(0.01)
    assert process.status() == psutil.STATUS_STOPPED
    lease.remove(completion)
    for _ in range(500):
        if process.status() != psutil.STATUS_STOPPED:
            break
        await asyncio.sleep(0.01)
    assert process.status() != psutil.STATUS_STOPPED
    # A stopped process is told to end all the same.
    lease.add(completion)
    jobs.cancel(made.id)
    assert (await reach(jobs, made.id, JobState.CANCELLED)).state is JobState.CANCELLED
    await jobs.close()


async def test_a_damaged_job_file_is_passed_over(home: Path) -> None:
    (home / "jobs").mkdir()
    (home / "jobs" / "ftjob-x.json").write_text("{")
    jobs = book(home)
    assert jobs.jobs() == []
    await jobs.close()
