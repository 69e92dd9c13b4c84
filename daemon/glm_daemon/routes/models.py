"""`GET /v1/models`: OpenAI's list, with a `glm` object that says what else is known."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from glm_daemon.daemon_state import DaemonState, daemon_state
from glm_protocol.folders import user_folders
from glm_runtime.adapter import Adapter, AdapterShelf


def models_routes() -> APIRouter:
    router = APIRouter(tags=["openai"])
    router.add_api_route("/v1/models", models, methods=["GET"])
    return router


async def models(request: Request) -> JSONResponse:
    """The names that requests may use."""
    state = daemon_state(request)
    data = [_model(state, name) for name in state.pool.models.names()]
    return JSONResponse({"object": "list", "data": data, "adapters": _adapters()})


def _adapters() -> list[dict[str, Any]]:
    """The sound ones, for pickers; `glm-lsp adapters list` says what ails the others."""
    return [
        {
            "name": adapter.name,
            "model": adapter.base,
            "published": adapter.published,
            "gain": adapter.gain,
        }
        for adapter in AdapterShelf(user_folders().home).all()
        if isinstance(adapter, Adapter)
    ]


def _model(state: DaemonState, name: str) -> dict[str, Any]:
    lane = state.pool.lanes.get(name)
    info = lane.supervisor.info if lane else None
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "glm-lsp",
        "glm": {
            "default": name == state.pool.models.default,
            "family": state.pool.models.family(name),
            "loaded": info is not None,
            "info": info.to_wire() if info else None,
        },
    }
