"""`POST /v1/completions` as OpenAI's clients read it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from glm_protocol.completion import CodeContext
from glm_runtime.fake_answers import fake_text
from glm_runtime.fake_engine import FakeScript, Fault
from tests.support.local_daemon import LocalDaemon, local_daemon

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[LocalDaemon]:
    """One daemon for all tests of this file that script nothing."""
    async with local_daemon() as running:
        yield running


BODY = {"prompt": "x = foo(", "suffix": "\ny", "max_tokens": 100}
TEXT = fake_text(CodeContext(path="", language="", prefix="x = foo(", suffix="\ny"))


async def test_plain(here: LocalDaemon) -> None:
    answer = await here.http.post("/v1/completions", json=BODY)
    wire = answer.json()
    assert answer.status_code == 200
    assert wire["object"] == "text_completion"
    assert wire["model"] == "fake"
    [choice] = wire["choices"]
    assert (choice["index"], choice["text"], choice["finish_reason"]) == (0, TEXT, "stop")
    assert wire["usage"] == {
        "prompt_tokens": 2,
        "completion_tokens": 3,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


@pytest.mark.parametrize("usage", [True, False])
async def test_streamed(here: LocalDaemon, usage: bool) -> None:
    body = {**BODY, "stream": True, "stream_options": {"include_usage": usage}}
    answer = await here.http.post("/v1/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event.removeprefix("data: ") for event in answer.text.split("\n\n") if event]
    assert events.pop() == "[DONE]"
    wires = [json.loads(event) for event in events]
    if usage:
        last = wires.pop()
        assert last["choices"] == []
        assert last["usage"]["completion_tokens"] == 3
    assert "".join(wire["choices"][0]["text"] for wire in wires) == TEXT
    reasons = [wire["choices"][0]["finish_reason"] for wire in wires]
    assert reasons == [None] * (len(wires) - 1) + ["stop"]
    assert len({wire["id"] for wire in wires}) == 1


@pytest.mark.parametrize(
    ("change", "finish", "length"),
    [
        ({"max_tokens": 1}, "length", 8),
        ({"stop": "_argument"}, "stop", 4),
        ({"stop": ["zzz", "_argument"]}, "stop", 4),
        ({"stop": None, "temperature": 0.7, "top_p": 0.9, "seed": 1, "n": 1}, "stop", len(TEXT)),
        ({"user": "me", "unknown_field": {"a": 1}, "logprobs": None}, "stop", len(TEXT)),
    ],
)
async def test_choices(here: LocalDaemon, change: dict[str, Any], finish: str, length: int) -> None:
    answer = await here.http.post("/v1/completions", json={**BODY, **change})
    choice = answer.json()["choices"][0]
    assert (choice["finish_reason"], len(choice["text"])) == (finish, length)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"echo": True}, 422, "unsupported"),
        ({"logprobs": 1}, 422, "unsupported"),
        ({"presence_penalty": 1.0}, 422, "unsupported"),
        ({"n": 2}, 400, "bad_request"),
        ({"n": 10**9}, 400, "bad_request"),
        ({"best_of": 2}, 400, "bad_request"),
        ({"max_tokens": 0}, 400, "bad_request"),
        ({"max_tokens": 10**6}, 400, "bad_request"),
        ({"temperature": -1}, 400, "bad_request"),
        ({"stop": ["x"] * 17}, 400, "bad_request"),
        ({"stop": "x" * 129}, 400, "bad_request"),
        ({"prompt": ["a", "b"]}, 400, "bad_request"),
        ({"prompt": "x" * 1_000_001}, 400, "bad_request"),
        ({"model": "gpt-4"}, 404, "model_unknown"),
    ],
)
async def test_refusals(here: LocalDaemon, change: dict[str, Any], status: int, code: str) -> None:
    answer = await here.http.post("/v1/completions", json={**BODY, **change})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code), error
    assert error["type"] == "invalid_request_error"
    assert error["message"]


async def test_an_error_in_the_middle_is_an_event(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = FakeScript(fault=Fault.NAN, at_step=4, text="x" * 80, step_delay_s=0.01)
    for name, value in script.to_environment().items():
        monkeypatch.setenv(name, value)
    async with local_daemon() as here:
        answer = await here.http.post("/v1/completions", json={**BODY, "stream": True})
    assert answer.status_code == 200
    last = answer.text.strip().split("\n\n")[-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "engine_failed"
    assert "[DONE]" not in answer.text
