"""`POST /glm/v1/complete`: a `CompletionRequest` in, `CompletionChunk`s out, one a line."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from glm_daemon.answers import LinesAnswer
from glm_daemon.daemon_state import daemon_state
from glm_protocol.completion import CompletionRequest
from glm_protocol.errors import ProtocolMismatch
from glm_protocol.handshake import CLIENT_PROTOCOL_HEADER, PROTOCOL_VERSION

ProtocolHeader = Annotated[str | None, Header(alias=CLIENT_PROTOCOL_HEADER, max_length=16)]


def complete_routes() -> APIRouter:
    router = APIRouter(tags=["glm"])
    router.add_api_route("/glm/v1/complete", complete, methods=["POST"])
    return router


async def complete(
    completion: CompletionRequest, request: Request, protocol: ProtocolHeader = None
) -> Response:
    """Complete at one cursor. Ends early, and frees the engine, when the client goes away."""
    if protocol is not None and protocol != str(PROTOCOL_VERSION):
        raise ProtocolMismatch(f"The daemon speaks protocol {PROTOCOL_VERSION}.")
    state = daemon_state(request)
    state.touch()
    job = state.pool.submit(completion)
    job.on_done.append(lambda _: state.touch())
    return LinesAnswer(job, model=state.pool.models.default)
