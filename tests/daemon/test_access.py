"""Who may ask: Host × Origin × transport × token over every route (T-04)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from glm_daemon.access import FORM_PATHS, AccessRules
from glm_daemon.serve_options import TcpAddress, TcpOptions
from tests.support.local_daemon import TOKEN, LocalDaemon, local_daemon

pytestmark = pytest.mark.e2e

HOSTS = [
    "evil.example",
    "localhost.evil",
    "127.0.0.1.nip.io",
    "[::1]",
    "",
    "0.0.0.0",
    "glm-lsp.",
    "localhost:1",
    "glm-lsp\r\nhost: localhost",  # twice
]
ORIGINS = ["null", "http://evil", "http://localhost:3000", "file://", "vscode-webview://x", ""]
HARMLESS = {"/glm/v1/shutdown": "GET"}  # a right request to it would end the test


def routes(here: LocalDaemon) -> Iterator[tuple[str, str]]:
    """Every method and path of the OpenAPI description, and one that does not exist."""
    app = here.daemon.app
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), path
    yield "GET", "/openapi.json"
    yield "GET", "/nowhere"


async def ask(here: LocalDaemon, tcp: bool, method: str, path: str, *headers: str) -> int:
    """The status of a raw request; httpx would mend the headers."""
    if tcp:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.tcp_port)
    else:
        reader, writer = await asyncio.open_unix_connection(here.folders.socket)
    body = "{}" if method == "POST" else ""
    lines = [f"{method} {path} HTTP/1.1", "connection: close", *headers]
    if body:
        lines += [f"content-length: {len(body)}"]
    writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    await writer.wait_closed()
    return status


async def test_only_the_right_host_without_origin_on_every_route() -> None:
    async with local_daemon(tcp=True) as here:
        port = here.tcp_port
        right = {False: "glm-lsp", True: f"127.0.0.1:{port}"}
        token = f"authorization: Bearer {TOKEN}"
        kind = "content-type: application/json"
        asked = 0
        for method, path in routes(here):
            for tcp in (False, True):
                basic = [kind, token] if tcp else [kind]
                for host in [*HOSTS, f"evil.example:{port}", f"localhost.:{port}"]:
                    asked += 1
                    status = await ask(here, tcp, method, path, f"host: {host}", *basic)
                    assert status in (400, 403), (method, path, host, status)
                for origin in ORIGINS:
                    asked += 1
                    headers = (f"host: {right[tcp]}", f"origin: {origin}", *basic)
                    assert await ask(here, tcp, method, path, *headers) == 403
                for site in ("cross-site", "same-site", "same-origin"):
                    headers = (f"host: {right[tcp]}", f"sec-fetch-site: {site}", *basic)
                    assert await ask(here, tcp, method, path, *headers) == 403
        assert asked > 250


async def test_no_route_without_the_token_on_tcp() -> None:
    wrong = [
        (),
        ("authorization: Bearer wrong",),
        (f"authorization: Basic {TOKEN}",),
        (f"authorization: Bearer {TOKEN}x",),
        (f"authorization: Bearer {TOKEN[:-1]}",),
        ("authorization: Bearer ",),
        (f"authorization: Bearer {TOKEN}", f"authorization: Bearer {TOKEN}"),
        ("authorization: Bearer \xff\xfe",),
    ]
    async with local_daemon(tcp=True) as here:
        host, kind = f"host: localhost:{here.tcp_port}", "content-type: application/json"
        for method, path in routes(here):
            for headers in wrong:
                status = await ask(here, True, method, path, host, kind, *headers)
                assert status == 401, (method, path, headers, status)
        right = (host, f"authorization: bearer {TOKEN}", "sec-fetch-site: none")
        assert await ask(here, True, "GET", "/health", *right) == 200
        assert await ask(here, True, "GET", "/nowhere", *right) == 404


async def test_bodies_are_json_and_reads_change_nothing() -> None:
    kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    async with local_daemon() as here:
        for method, path in routes(here):
            if method != "POST":
                continue
            for kind in kinds:
                if path in FORM_PATHS and kind.startswith("multipart/"):
                    continue
                headers = ("host: glm-lsp", f"content-type: {kind}")
                assert await ask(here, False, method, path, *headers) == 415
            assert await ask(here, False, method, path, "host: glm-lsp") == 415
            if ("GET", path) not in routes(here):  # a list that only shows
                assert await ask(here, False, "GET", path, "host: glm-lsp") == 405
        assert not here.daemon.state.draining


async def test_an_absolute_target_does_not_replace_the_host() -> None:
    async with local_daemon() as here:
        assert await ask(here, False, "GET", "http://evil/health", "host: glm-lsp") == 404
        assert await ask(here, False, "GET", "http://glm-lsp/health", "host: evil") == 403


def test_public_hosts_are_added_and_a_remote_bind_has_its_own() -> None:
    address = TcpAddress(host="10.0.0.5", port=0)
    tcp = TcpOptions(address=address, token=TOKEN, public_hosts=("glm.example.org",))
    hosts = AccessRules.for_tcp(tcp, 8080).hosts
    assert {b"glm.example.org", b"10.0.0.5:8080", b"localhost:8080"} <= hosts
    assert AccessRules.for_tcp(None, 0) == AccessRules()
    assert TOKEN not in repr(tcp)
    assert TOKEN not in repr(AccessRules.for_tcp(tcp, 1))
