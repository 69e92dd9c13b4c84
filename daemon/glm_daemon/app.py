"""The FastAPI application: routes, guards before them, errors after them. No sockets here.

Order of a request: access guard, body limit, FastAPI's validation, route. Every error leaves
in the form of `GlmError.to_wire`, without the user's text in it.
"""

from __future__ import annotations

import http
import logging
import re

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from glm_daemon.access import AccessGuard, AccessRules
from glm_daemon.answers import error_response
from glm_daemon.body_limit import BodyLimit
from glm_daemon.daemon_state import DaemonState
from glm_daemon.routes import all_routers
from glm_protocol.build import package_version
from glm_protocol.errors import BadRequest, GlmError

LOG = logging.getLogger(__name__)
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}")


def create_app(state: DaemonState, rules: AccessRules) -> FastAPI:
    """The application around one daemon's state."""
    app = FastAPI(
        title="glm-lsp",
        version=package_version(),
        docs_url=None,  # the pages would load scripts from the net
        redoc_url=None,
    )
    app.state.daemon = state
    for router in all_routers():
        app.include_router(router)
    app.add_exception_handler(GlmError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_fault)
    app.add_middleware(BodyLimit)
    app.add_middleware(AccessGuard, rules=rules)  # added last, asked first
    return app


async def _answer_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, GlmError)
    return error_response(error)


async def _answer_invalid(_: Request, error: Exception) -> Response:
    """Names the field and the rule; never the value, which may be the user's text."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return error_response(BadRequest("The body is not JSON."))
    parts = [str(part) for part in first["loc"] if part != "body"]
    known = [part if part.isdigit() or FIELD_NAME.fullmatch(part) else "?" for part in parts]
    where = ".".join(known) or "the body"
    return error_response(BadRequest(f"{where}: {first['msg']}."))


async def _answer_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = http.HTTPStatus(error.status_code).phrase
    return error_response(BadRequest(f"{phrase}."), status=error.status_code)


async def _answer_fault(_: Request, error: Exception) -> Response:
    """The edge. The traceback is uvicorn's to log, through `DiscreetFormatter`."""
    return error_response(GlmError(f"The daemon failed on this request ({type(error).__name__})."))
