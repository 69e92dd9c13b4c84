"""`POST /glm/v1/{complete,chat,translate,draw,remember}`: a request in, `Chunk`s out, one a line.

All kinds go one way; what differs is the request's class, which FastAPI checks.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from glm_daemon.access import tenant_of
from glm_daemon.answers import LinesAnswer
from glm_daemon.daemon_state import daemon_state
from glm_protocol.chat import ChatRequest
from glm_protocol.completion import CompletionRequest
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import ProtocolMismatch
from glm_protocol.handshake import CLIENT_PROTOCOL_HEADER, PROTOCOL_VERSION
from glm_protocol.remembering import RememberRequest
from glm_protocol.requests import AnyRequest
from glm_protocol.translation import TranslationRequest

ProtocolHeader = Annotated[str | None, Header(alias=CLIENT_PROTOCOL_HEADER, max_length=16)]


def engine_routes() -> APIRouter:
    router = APIRouter(tags=["glm"])
    for route in (complete, chat, translate, draw, remember):
        router.add_api_route(f"/glm/v1/{route.__name__}", route, methods=["POST"])
    return router


async def complete(
    body: CompletionRequest, request: Request, protocol: ProtocolHeader = None
) -> Response:
    """Complete at one cursor. Ends early, and frees the engine, when the client goes away."""
    return answer(body, request, protocol)


async def chat(body: ChatRequest, request: Request, protocol: ProtocolHeader = None) -> Response:
    """The next turn of a chat, about pictures too."""
    return answer(body, request, protocol)


async def translate(
    body: TranslationRequest, request: Request, protocol: ProtocolHeader = None
) -> Response:
    """One unit of code in another language."""
    return answer(body, request, protocol)


async def draw(body: DrawRequest, request: Request, protocol: ProtocolHeader = None) -> Response:
    """Pictures from words."""
    return answer(body, request, protocol)


async def remember(
    body: RememberRequest, request: Request, protocol: ProtocolHeader = None
) -> Response:
    """Texts of a workspace for the engine's memory."""
    return answer(body, request, protocol)


def answer(body: AnyRequest, request: Request, protocol: str | None) -> Response:
    """Queue it and stream what comes. Raises GlmError."""
    if protocol is not None and protocol != str(PROTOCOL_VERSION):
        raise ProtocolMismatch(f"The daemon speaks protocol {PROTOCOL_VERSION}.")
    state = daemon_state(request)
    state.touch()
    job = state.pool.submit(body, tenant=tenant_of(request.scope))
    job.on_done.append(lambda _: state.touch())
    return LinesAnswer(job, model=state.pool.models.default)
