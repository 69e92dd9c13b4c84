"""The structured completion route: what comes back, in pieces, and as which error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glm_protocol.completion import CompletionChunk, FinishReason
from glm_runtime.fake_engine import fake_text
from tests.support.daemon_process import completion_request
from tests.support.local_daemon import LocalDaemon, local_daemon

pytestmark = pytest.mark.e2e


async def lines(here: LocalDaemon, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await here.http.post("/glm/v1/complete", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_answers_in_pieces_with_one_end() -> None:
    request = completion_request("x = foo(")
    async with local_daemon() as here:
        wires = await lines(here, request.to_wire())
    chunks = [CompletionChunk.from_wire(wire) for wire in wires]
    assert "".join(chunk.text for chunk in chunks) == fake_text(request.context)
    assert [chunk.end is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    end = chunks[-1].end
    assert end is not None
    assert end.finish is FinishReason.STOP
    assert end.model == "fake"
    assert 0 < end.timings_ms.first_text <= end.timings_ms.total
    assert end.tokens.generated == 3
