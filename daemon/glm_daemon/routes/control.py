"""`GET /glm/v1/status`, `POST /glm/v1/shutdown`, `POST /glm/v1/restart`: for people and clients."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import psutil  # type: ignore[import-untyped]
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from glm_daemon.daemon_state import daemon_state
from glm_daemon.engine_lane import EngineLane
from glm_protocol.request_fields import Name


@dataclass(frozen=True, kw_only=True, slots=True)
class RestartRequest:
    """Which engine to start anew; None is the default model's."""

    model: Name | None = None


def control_routes() -> APIRouter:
    router = APIRouter(tags=["glm"])
    router.add_api_route("/glm/v1/status", status, methods=["GET"])
    router.add_api_route("/glm/v1/shutdown", shutdown, methods=["POST"], status_code=202)
    router.add_api_route("/glm/v1/restart", restart, methods=["POST"], status_code=202)
    return router


async def status(request: Request) -> JSONResponse:
    """Everything that `glm-lsp status` shows."""
    state = daemon_state(request)
    pool = state.pool
    return JSONResponse(
        {
            **state.health().to_wire(),
            "rss_bytes": _rss(os.getpid()),
            "model": pool.models.default,
            "queue": {
                "waiting": pool.waiting,
                "running": pool.running,
                "limit": pool.queue_limit,
            },
            "engines": [_engine(lane) for lane in pool.lanes.values()],
        }
    )


async def shutdown(request: Request) -> JSONResponse:
    """Begin the orderly end: work at hand is finished, new work is refused, then exit 0."""
    daemon_state(request).drain()
    return JSONResponse({"state": "draining"}, status_code=202)


async def restart(which: RestartRequest, request: Request) -> JSONResponse:
    """Start an engine's worker anew, also one that had failed for good."""
    await daemon_state(request).pool.restart(which.model)
    return JSONResponse({"state": "starting"}, status_code=202)


def _engine(lane: EngineLane) -> dict[str, Any]:
    supervisor = lane.supervisor
    info, error, pid = supervisor.info, supervisor.last_error, supervisor.pid
    return {
        "model": lane.model,
        "state": supervisor.state.value,
        "pid": pid,
        "rss_bytes": _rss(pid) if pid else None,
        "restarts": supervisor.restarts,
        "waiting": lane.waiting,
        "running": lane.running,
        "last_error": error.to_wire()["error"] if error else None,
        "info": info.to_wire() if info else None,
    }


def _rss(pid: int) -> int | None:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
