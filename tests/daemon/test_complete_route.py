"""The structured completion route: what comes back, in pieces, and as which error."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from glm_protocol.answers import Chunk, FinishReason
from glm_runtime.fake_answers import fake_text
from tests.support.daemon_process import completion_request
from tests.support.local_daemon import LocalDaemon, local_daemon

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[LocalDaemon]:
    """One daemon for all tests of this file that script nothing."""
    async with local_daemon() as running:
        yield running


async def lines(here: LocalDaemon, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await here.http.post("/glm/v1/complete", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_answers_in_pieces_with_one_end(here: LocalDaemon) -> None:
    request = completion_request("x = foo(")
    wires = await lines(here, request.to_wire())
    chunks = [Chunk.from_wire(wire) for wire in wires]
    assert "".join(chunk.text for chunk in chunks) == fake_text(request.context)
    assert [chunk.end is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    end = chunks[-1].end
    assert end is not None
    assert end.finish is FinishReason.STOP
    assert end.model == "fake"
    assert 0 < end.timings_ms.first_text <= end.timings_ms.total
    assert end.tokens.generated == 3


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": 4097}, "max_tokens"),
        ({"deadline_ms": 10**9}, "deadline_ms"),
        ({"temperature": 3}, "temperature"),
        ({"mode": "canary"}, "mode"),
        ({"stop": ["canary"] * 17}, "stop"),
        ({"stop": [""]}, "stop.0"),
        ({"context": None}, "context"),
        ({"context": {"path": "a"}}, "context.language"),
        ({"canary": 1}, "canary"),
        ({"my secret canary": 1}, "?"),
    ],
)
async def test_a_wrong_field_is_named_and_its_value_is_not(
    here: LocalDaemon, change: dict[str, Any], where: str
) -> None:
    body = {**completion_request().to_wire(), **change}
    answer = await here.http.post("/glm/v1/complete", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "bad_request")
    assert error["message"].startswith(f"{where}: "), error
    assert "secret" not in answer.text
    assert error["remedy"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"canary"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"id":' * 50_000,
        b'{"id": ' + b"9" * 5000 + b"}",
        b'{"max_tokens": NaN}',
        b'{"a": Infinity}',
    ],
)
async def test_a_body_that_is_no_request_is_400(here: LocalDaemon, body: bytes) -> None:
    answer = await here.http.post(
        "/glm/v1/complete", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"
    assert "canary" not in answer.text


async def test_not_a_number_is_no_temperature(here: LocalDaemon) -> None:
    body = json.dumps({**completion_request().to_wire(), "temperature": float("nan")})
    answer = await here.http.post(
        "/glm/v1/complete", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert "temperature" in answer.json()["error"]["message"]


@pytest.mark.parametrize("prefix", ["", "\0", "é", "😀", "a\r\nb", "\ud83d", "x" * 1_000_000])
async def test_odd_texts(here: LocalDaemon, prefix: str) -> None:
    body = json.dumps(completion_request(prefix).to_wire())
    answer = await here.http.post(
        "/glm/v1/complete", content=body, headers={"content-type": "application/json"}
    )
    if prefix == "\ud83d":  # half a character is not a text; the language server mends it
        assert answer.status_code == 400
    else:
        assert answer.status_code == 200
        assert '"finish":"stop"' in answer.text


async def test_another_protocol_is_refused_and_another_build_is_not(here: LocalDaemon) -> None:
    wire = completion_request().to_wire()
    answer = await here.http.post("/glm/v1/complete", json=wire, headers={"x-glm-protocol": "999"})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "protocol_mismatch"
    headers = {"x-glm-protocol": "1", "x-glm-build": "another"}
    answer = await here.http.post("/glm/v1/complete", json=wire, headers=headers)
    assert answer.status_code == 200


async def test_unknown_paths_and_methods_are_errors_of_ours(here: LocalDaemon) -> None:
    for method, path, status in [("GET", "/nowhere", 404), ("GET", "/glm/v1/complete", 405)]:
        answer = await here.http.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"]["code"] == "bad_request"


async def test_a_fault_of_ours_is_500_without_its_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with local_daemon(ready=False) as here:

        def broken(_: object, tenant: str) -> None:
            raise RuntimeError("secret canary")

        monkeypatch.setattr(here.pool, "submit", broken)
        answer = await here.http.post("/glm/v1/complete", json=completion_request().to_wire())
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "RuntimeError" in answer.text
    assert "canary" not in answer.text
