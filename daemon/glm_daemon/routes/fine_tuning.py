"""`/v1/fine_tuning/jobs` in OpenAI's shape: create, list, one, events, cancel.

`training_file` is a repository's folder on this machine (a path or a file URI), `suffix` the
adapter's name. Taken on the user's own socket alone: over TCP a token would otherwise let its
holder name any folder of the daemon's machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from starlette.responses import JSONResponse

from glm_daemon.daemon_state import daemon_state
from glm_daemon.finetune_jobs import FinetuneJob, FinetuneJobs, JobState
from glm_protocol.errors import BadRequest, NotReady, Unsupported
from glm_protocol.request_fields import Name
from glm_runtime.adapter import is_adapter_name

Limit = Annotated[int, Query(ge=1, le=100)]
JobId = Annotated[str, Query(max_length=64)]
PathId = Annotated[str, InPath(max_length=64)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hyperparameters:
    """`n_epochs` are passes at most; "auto" leaves them to us."""

    n_epochs: Annotated[int, Ge(1), Le(50)] | Annotated[str, MaxLen(8)] = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class FineTuningBody:
    """Ours are `minutes`, how long training may take at most, and `dry_run`, preflight alone."""

    training_file: Annotated[str, MinLen(1), MaxLen(4096)]
    model: Name | None = None
    suffix: Annotated[str, MaxLen(64)] | None = None
    seed: Annotated[int, Ge(0), Le(2**31 - 1)] | None = None
    hyperparameters: Hyperparameters | None = None
    minutes: Annotated[float, Gt(0), Le(100_000)] | None = None
    dry_run: bool = False

    def to_job(self) -> FinetuneJob:
        """Raises BadRequest for what can be no adapter's name."""
        repository = _folder(self.training_file)
        name = self.suffix or re.sub(r"[^A-Za-z0-9_-]+", "-", repository.name).strip("-")[:48]
        if not is_adapter_name(name) or name.endswith(".candidate"):
            raise BadRequest(
                "suffix is no name for an adapter.",
                remedy="Use 1 to 64 letters, digits, dots, dashes and underscores.",
            )
        epochs = self.hyperparameters.n_epochs if self.hyperparameters else "auto"
        return FinetuneJob(
            id="",
            repository=str(repository),
            name=name,
            model=self.model,
            epochs=float(epochs) if isinstance(epochs, int) else None,
            minutes=self.minutes,
            dry_run=self.dry_run,
            seed=self.seed or 1,
        )


def fine_tuning_routes() -> APIRouter:
    router = APIRouter(tags=["openai"], prefix="/v1/fine_tuning/jobs")
    router.add_api_route("", create, methods=["POST"])
    router.add_api_route("", listing, methods=["GET"])
    router.add_api_route("/{job_id}", one, methods=["GET"])
    router.add_api_route("/{job_id}/events", events, methods=["GET"])
    router.add_api_route("/{job_id}/cancel", cancel, methods=["POST"])
    return router


async def create(body: FineTuningBody, request: Request) -> JSONResponse:
    """Queue a job."""
    jobs = _jobs(request)
    if daemon_state(request).draining:
        raise NotReady("The daemon is shutting down.")
    daemon_state(request).touch()
    return JSONResponse(job_object(jobs.create(body.to_job())))


async def listing(request: Request, limit: Limit = 20, after: JobId | None = None) -> JSONResponse:
    """Newest first; `after` is the last id of the page before."""
    found = _jobs(request).jobs()
    if after is not None:
        ids = [job.id for job in found]
        found = found[ids.index(after) + 1 :] if after in ids else []
    page = [job_object(job) for job in found[:limit]]
    return JSONResponse({"object": "list", "data": page, "has_more": len(found) > limit})


async def one(job_id: PathId, request: Request) -> JSONResponse:
    """With the receipt, once there is one."""
    jobs = _jobs(request)
    wire = job_object(jobs.get(job_id))
    wire["glm"]["receipt"] = jobs.receipt(job_id)
    return JSONResponse(wire)


async def events(job_id: PathId, request: Request, limit: Limit = 20) -> JSONResponse:
    """Newest first, as OpenAI has it."""
    said = _jobs(request).events(job_id)
    data = [event_object(job_id, number, event) for number, event in enumerate(said)]
    return JSONResponse(
        {"object": "list", "data": data[::-1][:limit], "has_more": len(data) > limit}
    )


async def cancel(job_id: PathId, request: Request) -> JSONResponse:
    return JSONResponse(job_object(_jobs(request).cancel(job_id)))


def job_object(job: FinetuneJob) -> dict[str, Any]:
    """OpenAI's object, with a `glm` object for what it has no word for."""
    failed = job.state is JobState.FAILED
    return {
        "id": job.id,
        "object": "fine_tuning.job",
        "created_at": int(job.created),
        "finished_at": None if job.finished is None else int(job.finished),
        "model": job.model,
        "fine_tuned_model": job.adapter if job.published else None,
        "organization_id": "local",
        "status": job.state.value,
        "training_file": job.repository,
        "validation_file": None,
        "result_files": [],
        "trained_tokens": job.trained_tokens,
        "hyperparameters": {"n_epochs": "auto" if job.epochs is None else int(job.epochs)},
        "seed": job.seed,
        "error": {"code": "failed", "message": job.message, "param": None} if failed else None,
        "glm": {
            "name": job.name,
            "adapter": job.adapter,
            "published": job.published,
            "reason": job.message,
        },
    }


def event_object(job_id: str, number: int, event: dict[str, Any]) -> dict[str, Any]:
    """A line of progress; steps and looks are metrics, the rest are messages."""
    kind = str(event.get("kind", ""))
    data = {key: value for key, value in event.items() if key not in ("kind", "at", "line")}
    return {
        "object": "fine_tuning.job.event",
        "id": f"ftevent-{job_id.removeprefix('ftjob-')}-{number}",
        "created_at": int(event.get("at", 0)),
        "level": "info",
        "type": "metrics" if kind in ("step", "look") else "message",
        "message": str(event.get("line") or kind),
        "data": data,
    }


def _folder(text: str) -> Path:
    parts = urlsplit(text)
    path = Path(unquote(parts.path) if parts.scheme == "file" else text)
    if not path.is_absolute():
        raise BadRequest("training_file must be a folder's absolute path, or its file URI.")
    return path


def _jobs(request: Request) -> FinetuneJobs:
    if request.scope.get("state", {}).get("transport") != "unix":
        raise Unsupported(
            "Fine-tuning jobs are taken on the daemon's own socket alone.",
            remedy="Run `glm-lsp finetune REPO` on the daemon's machine.",
        )
    jobs = daemon_state(request).finetune
    assert jobs is not None, "asked before the daemon runs"
    return jobs
