"""`GET /health`: who is there. `GET /ready`: whether the default model answers now."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from glm_daemon.daemon_state import daemon_state
from glm_daemon.supervisor import EngineState


def health_routes() -> APIRouter:
    router = APIRouter(tags=["health"])
    router.add_api_route("/health", health, methods=["GET"])
    router.add_api_route("/ready", ready, methods=["GET"])
    return router


async def health(request: Request) -> JSONResponse:
    """The hand-shake: state, pid, version, build and protocol of this daemon."""
    return JSONResponse(daemon_state(request).health().to_wire())


async def ready(request: Request) -> JSONResponse:
    """200 when the default model is loaded and the daemon is not draining, else 503."""
    state = daemon_state(request)
    engine, detail = state.readiness()
    is_ready = engine is EngineState.READY and not state.draining
    answer = {
        "ready": is_ready,
        "model": state.pool.models.default,
        "state": "draining" if state.draining else engine.value,
        "detail": detail,
    }
    return JSONResponse(answer, status_code=200 if is_ready else 503)
