"""Who may ask: the guard before every route, known or unknown (reliability T-04).

A web page in the user's browser can reach a TCP port of this machine, so: an exact Host, no
Origin, no cross-site fetch, JSON bodies only (a form cannot send those) and, on TCP, a token.
On the unix socket the file's mode and the peer's uid stand for the token. Pure ASGI; fails
closed: a connection whose transport is not known is held to the rules of TCP.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

from glm_daemon.answers import error_response
from glm_daemon.serve_options import TcpOptions
from glm_protocol.errors import BadRequest

UNIX_HOSTS = frozenset({b"glm-lsp", b"localhost"})
BEARER = b"bearer "
BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# OpenAI's clients send pictures so. Origin, Sec-Fetch-Site and token are checked all the same.
FORM_PATHS = frozenset({"/v1/images/edits"})


REMEDY = "See docs/security.md for what the daemon accepts."


def tenant_of(scope: Scope) -> str:
    """Whose request it is, for what must not be shared: "" for all of the unix socket, which is
    this user alone; on TCP one for each address that a token came from."""
    if scope.get("state", {}).get("transport") == "unix":
        return ""
    host = (scope.get("client") or ("",))[0]
    return f"tcp:{host}"


class Refused(Exception):
    """A no before any route: a BadRequest on the wire, with a status that says more than 400."""

    def __init__(self, status: int, message: str, *, remedy: str = REMEDY) -> None:
        super().__init__(message)
        self.status = status
        self.error = BadRequest(message, remedy=remedy)


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessRules:
    """What TCP clients must show. An empty token admits nobody."""

    hosts: frozenset[bytes] = frozenset()
    token: bytes = field(default=b"", repr=False)

    @classmethod
    def for_tcp(cls, tcp: TcpOptions | None, port: int) -> AccessRules:
        """`port` is the bound one, which the options may have left to the system."""
        if tcp is None:
            return cls()
        hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        if not tcp.address.loopback:
            hosts.add(f"{tcp.address.host}:{port}")
        hosts.update(tcp.public_hosts)
        return cls(
            hosts=frozenset(host.lower().encode("ascii") for host in hosts),
            token=tcp.token.encode("utf-8"),
        )


class AccessGuard:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp, *, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            self._check(scope)
        except Refused as refusal:
            await error_response(refusal.error, status=refusal.status)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        unix = scope.get("state", {}).get("transport") == "unix"
        hosts = _values(headers, b"host")
        allowed = UNIX_HOSTS if unix else self._rules.hosts
        if len(hosts) != 1 or hosts[0].lower() not in allowed:
            raise Refused(403, "This Host header is not allowed.")
        if _values(headers, b"origin"):
            raise Refused(403, "Requests of web pages are not allowed.")
        if any(value.lower() != b"none" for value in _values(headers, b"sec-fetch-site")):
            raise Refused(403, "Requests of web pages are not allowed.")
        if not unix:
            self._check_token(headers)
        if scope["method"] in BODY_METHODS and not (unix and _is_bodiless(headers)):
            _check_kind(headers, form=scope["path"] in FORM_PATHS)

    def _check_token(self, headers: list[tuple[bytes, bytes]]) -> None:
        shown = _values(headers, b"authorization")
        token = shown[0][len(BEARER) :] if len(shown) == 1 else b""
        bearer = len(shown) == 1 and shown[0][: len(BEARER)].lower() == BEARER
        equal = hmac.compare_digest(token, self._rules.token)
        if not (bearer and equal and self._rules.token):
            raise Refused(
                401,
                "The token is missing or wrong.",
                remedy="Send `Authorization: Bearer …` with the token of `serve --token-file`.",
            )


def _check_kind(headers: list[tuple[bytes, bytes]], *, form: bool) -> None:
    kinds = [
        value.partition(b";")[0].strip().lower() for value in _values(headers, b"content-type")
    ]
    if form and kinds == [b"multipart/form-data"]:
        return
    if kinds != [b"application/json"]:
        raise Refused(415, "The body must be application/json.")


def _is_bodiless(headers: list[tuple[bytes, bytes]]) -> bool:
    """No body, as of `POST /glm/v1/shutdown`; browsers cannot reach a unix socket."""
    return _values(headers, b"content-length") in ([], [b"0"]) and not _values(
        headers, b"transfer-encoding"
    )


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]
