"""Fine-tuning jobs: one at a time, each a process of its own, kept on disk over restarts.

A job is `python -m glm_codegen.finetune`, so a crash of it touches nothing here. It is the last
in the device lease: while a completion is at work it is stopped (on a CPU). When the daemon ends
in order the job is asked to write a checkpoint and its next start resumes it; when the daemon is
killed the job dies with it, and the next daemon resumes from the last checkpoint.

    HOME/jobs/ID.json            the job
    HOME/jobs/ID.events.jsonl    what it said, one JSON object a line
    HOME/jobs/ID.out, ID.err     its receipt, and what it said to people
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from glm_daemon.device_lease import DeviceLease, ProcessHolder
from glm_protocol.errors import BadRequest, GlmError, Overloaded

LOG = logging.getLogger(__name__)
MODULE = "glm_codegen.finetune"  # named, not imported: it loads torch
PATIENCE_S = 30.0  # for a checkpoint, when a job is asked to end
MOST_WAITING, MOST_KEPT = 16, 200
MAX_EVENTS_BYTES = 4 << 20  # read back at most


class JobState(StrEnum):
    """OpenAI's words."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, kw_only=True, slots=True)
class FinetuneJob:
    """`adapter` is what may be named in requests once it succeeded; times are of the epoch."""

    id: str
    repository: str
    name: str
    model: str | None
    epochs: float | None = None
    minutes: float | None = None
    seed: int = 1
    dry_run: bool = False
    state: JobState = JobState.QUEUED
    created: float = 0.0
    finished: float | None = None
    begun: bool = False  # a start after this one resumes
    adapter: str | None = None
    published: bool = False
    trained_tokens: int | None = None
    message: str = ""  # why it failed, or the receipt's sentence

    def arguments(self) -> list[str]:
        """What follows `glm-lsp finetune`."""
        found = [self.repository, "--name", self.name, "--seed", str(self.seed), "--json"]
        for flag, value in (
            ("--model", self.model),
            ("--epochs", self.epochs),
            ("--minutes", self.minutes),
        ):
            found += [] if value is None else [flag, str(value)]
        return [*found, "--dry-run"] if self.dry_run else found


Command = Callable[[FinetuneJob], Sequence[str]]


def _command(job: FinetuneJob) -> Sequence[str]:
    return [sys.executable, "-P", "-m", MODULE, *job.arguments()]


class FinetuneJobs:
    """The book of jobs, and the one at work."""

    def __init__(self, home: Path, lease: DeviceLease, *, command: Command = _command) -> None:
        self._home = home
        self._folder = home / "jobs"
        self._lease = lease
        self._command = command
        self._jobs: dict[str, FinetuneJob] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._worker: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._closing = False
        self._cancelled: set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits: the daemon stays then."""
        return any(not job.state.ended for job in self._jobs.values())

    def open(self) -> None:
        """Read the book; what was not at its end goes on. Needs the running loop."""
        for file in sorted(self._folder.glob("*.json")):
            try:
                wire = json.loads(file.read_bytes())
                job = FinetuneJob(**{**wire, "state": JobState(wire["state"])})
            except (OSError, ValueError, TypeError, KeyError):
                LOG.warning("the job file %s cannot be read", file.name)
                continue
            if job.state is JobState.RUNNING:
                job = replace(job, state=JobState.QUEUED)
            self._jobs[job.id] = job
        self._wake()

    def create(self, job: FinetuneJob) -> FinetuneJob:
        """Queue a job. Raises BadRequest, Overloaded."""
        if not Path(job.repository).is_dir():
            raise BadRequest("training_file names no folder of this machine.")
        waiting = [one for one in self._jobs.values() if not one.state.ended]
        if any(one.name == job.name for one in waiting):
            raise BadRequest(
                f"A job for the adapter {job.name!r} is at work or waits.",
                remedy="Wait for it, cancel it, or choose another suffix.",
            )
        if len(waiting) >= MOST_WAITING:
            raise Overloaded(f"{len(waiting)} jobs are waiting already.", retry_after_s=60)
        job = replace(job, id=f"ftjob-{uuid.uuid4().hex[:24]}", created=time.time())
        self._keep(job)
        self._forget_old()
        self._wake()
        return job

    def jobs(self) -> list[FinetuneJob]:
        """Newest first."""
        return sorted(self._jobs.values(), key=lambda job: (-job.created, job.id))

    def get(self, job_id: str) -> FinetuneJob:
        """Raises BadRequest."""
        job = self._jobs.get(job_id)
        if job is None:
            raise BadRequest(f"There is no job {job_id[:64]!r}.", remedy="List the jobs.")
        return job

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """What a job said, oldest first. Raises BadRequest."""
        self.get(job_id)
        found = []
        try:
            with self._file(job_id, "events.jsonl").open("rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - MAX_EVENTS_BYTES))
                lines = stream.read().split(b"\n")
        except OSError:
            return []
        for line in lines:
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def cancel(self, job_id: str) -> FinetuneJob:
        """Ask a job to end; one that has ended stays as it is. Raises BadRequest."""
        job = self.get(job_id)
        if job.state is JobState.QUEUED:
            self._keep(replace(job, state=JobState.CANCELLED, finished=time.time()))
        elif job.state is JobState.RUNNING:
            self._cancelled.add(job_id)
            self._stopping = asyncio.create_task(self._stop_process())
        return self.get(job_id)

    async def close(self) -> None:
        """Ask the job at work for a checkpoint; it goes on with the next daemon."""
        self._closing = True
        await self._stop_process()
        for task in (self._stopping, self._worker):
            if task is not None:
                await task

    def kill_now(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def _wake(self) -> None:
        idle = self._worker is None or self._worker.done()
        if idle and not self._closing and self._next() is not None:
            self._worker = asyncio.create_task(self._work())

    def _next(self) -> FinetuneJob | None:
        waiting = [job for job in self._jobs.values() if job.state is JobState.QUEUED]
        return min(waiting, key=lambda job: job.created, default=None)

    async def _work(self) -> None:
        while not self._closing and (job := self._next()) is not None:
            try:
                await self._run(job)
            except (OSError, GlmError) as error:
                LOG.error("job %s: %s", job.id, error)
                self._end(job.id, JobState.FAILED, message=str(error))

    async def _run(self, job: FinetuneJob) -> None:
        resumes = job.begun and (self._home / "finetune" / job.name / "run.json").is_file()
        command = [*self._command(job), "--events", str(self._file(job.id, "events.jsonl"))]
        command += ["--parent", str(os.getpid())] + (["--resume"] if resumes else [])
        self._keep(replace(job, state=JobState.RUNNING, begun=True))
        LOG.info("job %s: %s", job.id, "resumed" if resumes else "started")
        with (
            _private(self._file(job.id, "out")) as out,
            _private(self._file(job.id, "err")) as err,
        ):
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            self._process = process
            holder = ProcessHolder(pid=lambda: _family(process.pid))
            self._lease.add(holder)
            try:
                code = await process.wait()
            finally:
                self._lease.remove(holder)
                self._process = None
        self._settle(job.id, code)

    def _settle(self, job_id: str, code: int) -> None:
        """Write down what came of a process."""
        if job_id in self._cancelled:
            self._cancelled.discard(job_id)
            self._end(job_id, JobState.CANCELLED)
        elif self._closing:
            self._keep(replace(self.get(job_id), state=JobState.QUEUED))
        elif code == 0 and (receipt := self.receipt(job_id)) is not None:
            published = receipt.get("published") is True
            job = self.get(job_id)
            self._end(
                job_id,
                JobState.SUCCEEDED,
                adapter=None if job.dry_run else job.name if published else f"{job.name}.candidate",
                published=published,
                trained_tokens=int(receipt.get("training", {}).get("tokens", 0)),
                message=str(receipt.get("reason", "")),
            )
        else:
            self._end(job_id, JobState.FAILED, message=self._last_words(job_id, code))

    def receipt(self, job_id: str) -> dict[str, Any] | None:
        """The object that the command ended with; None while there is none."""
        try:
            found = json.loads(self._file(job_id, "out").read_bytes().strip().split(b"\n")[-1])
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _last_words(self, job_id: str, code: int) -> str:
        """The last line of what it said, which is a sentence for people; never a bare number."""
        try:
            lines = self._file(job_id, "err").read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        said = lines[-1].removeprefix("glm-lsp: ")[:500] if lines else ""
        if code < 0:
            return f"Its process was killed (signal {-code}). {said}".strip()
        return said or f"Its process ended with {code} and said nothing."

    async def _stop_process(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._lease.release(_family(process.pid))  # a stopped one would not hear
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), PATIENCE_S)
        except TimeoutError:
            process.kill()

    def _end(self, job_id: str, state: JobState, **words: Any) -> None:
        LOG.info("job %s: %s", job_id, state.value)
        self._keep(replace(self.get(job_id), state=state, finished=time.time(), **words))

    def _keep(self, job: FinetuneJob) -> None:
        """In memory, and on disk whole or not at all."""
        self._jobs[job.id] = job
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._file(job.id, "json")
        part = file.with_suffix(".part")
        try:
            part.write_text(json.dumps(asdict(job), indent=1) + "\n", encoding="utf-8")
            part.replace(file)
        except OSError as error:
            part.unlink(missing_ok=True)
            LOG.error("job %s could not be written down (%s)", job.id, error.strerror)

    def _forget_old(self) -> None:
        ended = [job for job in self.jobs() if job.state.ended]
        for job in ended[MOST_KEPT:]:
            del self._jobs[job.id]
            for file in self._folder.glob(f"{job.id}.*"):
                file.unlink(missing_ok=True)

    def _file(self, job_id: str, ending: str) -> Path:
        return self._folder / f"{job_id}.{ending}"


def _family(pid: int) -> tuple[int, ...]:
    """A process and its descendants."""
    try:
        process = psutil.Process(pid)
        return (pid, *(child.pid for child in process.children(recursive=True)))
    except psutil.Error:
        return ()


@contextlib.contextmanager
def _private(file: Path) -> Any:
    """An empty file for a process to write to, its owner's alone."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
