"""`GET /metrics` in Prometheus' text format."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from glm_daemon.daemon_state import daemon_state
from glm_daemon.metrics import CONTENT_TYPE


def metrics_routes() -> APIRouter:
    router = APIRouter(tags=["health"])
    router.add_api_route("/metrics", metrics, methods=["GET"])
    return router


async def metrics(request: Request) -> Response:
    """Counters, gauges and histograms of this daemon."""
    state = daemon_state(request)
    return Response(state.metrics.render(state.gauges()), media_type=CONTENT_TYPE)
