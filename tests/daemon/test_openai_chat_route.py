"""`POST /v1/chat/completions` as OpenAI's clients read it; pictures come as data or from disk."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.local_daemon import TOKEN, LocalDaemon, local_daemon

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n not decoded by the fake").decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[LocalDaemon]:
    async with local_daemon(tcp=True) as running:
        yield running


def chat(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}], **more}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


QUESTION = {"type": "text", "text": "What is this?"}
PICTURE = image(f"data:image/png;base64,{PIXEL}")


async def test_plain_text_and_parts(here: LocalDaemon) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}]}
    for asked in (body, chat(QUESTION), chat(QUESTION, PICTURE)):
        answer = await here.http.post("/v1/chat/completions", json=asked)
        wire = answer.json()
        assert answer.status_code == 200, wire
        assert wire["object"] == "chat.completion"
        [choice] = wire["choices"]
        assert choice["message"]["role"] == "assistant"
        assert choice["message"]["content"]
        assert choice["finish_reason"] == "stop"
        assert wire["usage"]["total_tokens"] > 0


async def test_the_picture_reaches_the_engine(here: LocalDaemon) -> None:
    texts = []
    for asked in (chat(QUESTION), chat(QUESTION, PICTURE), chat(QUESTION, PICTURE, PICTURE)):
        answer = await here.http.post("/v1/chat/completions", json=asked)
        texts.append(answer.json()["choices"][0]["message"]["content"])
    assert len(set(texts)) == 3, texts


async def test_streamed(here: LocalDaemon) -> None:
    whole = await here.http.post("/v1/chat/completions", json=chat(QUESTION))
    streaming = {"stream": True, "stream_options": {"include_usage": True}}
    answer = await here.http.post("/v1/chat/completions", json=chat(QUESTION, **streaming))
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event.removeprefix("data: ") for event in answer.text.split("\n\n") if event]
    assert events.pop() == "[DONE]"
    wires = [json.loads(event) for event in events]
    assert wires.pop()["usage"]["completion_tokens"] > 0
    assert wires[0]["choices"][0]["delta"]["role"] == "assistant"
    text = "".join(wire["choices"][0]["delta"]["content"] for wire in wires)
    assert text == whole.json()["choices"][0]["message"]["content"]
    reasons = [wire["choices"][0]["finish_reason"] for wire in wires]
    assert reasons == [None] * (len(wires) - 1) + ["stop"]


async def test_nothing_is_fetched(here: LocalDaemon, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"\x89PNG\r\n\x1a\n")
    inside = tmp_path / "workspace"
    inside.mkdir()
    (inside / "link.png").symlink_to(outside)
    for url, status, words in (
        ("http://127.0.0.1:1/x.png", 422, "not fetched"),
        ("https://example.org/x.png", 422, "not fetched"),
        ("file://other/x.png", 422, "not fetched"),
        ("data:image/png,abc", 400, "not base64"),
        (outside.as_uri(), 400, "outside of the workspace"),
        ((inside / ".." / "outside.png").as_uri(), 400, "outside of the workspace"),
        ((inside / "link.png").as_uri(), 400, "outside of the workspace"),
        (inside.as_uri(), 400, "a folder"),
    ):
        body = chat(QUESTION, image(url), workspace=str(inside))
        answer = await here.http.post("/v1/chat/completions", json=body)
        assert answer.status_code == status, (url, answer.text)
        assert words in answer.json()["error"]["message"], url


async def test_a_file_of_the_workspace_on_the_socket_alone(
    here: LocalDaemon, tmp_path: Path
) -> None:
    picture = tmp_path / "shot.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    body = chat(QUESTION, image(picture.as_uri()), workspace=str(tmp_path))
    answer = await here.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    import httpx

    headers = {"authorization": f"Bearer {TOKEN}"}
    base = f"http://127.0.0.1:{here.tcp_port}"
    async with httpx.AsyncClient(base_url=base, headers=headers) as http:
        answer = await http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    assert "private socket" in answer.json()["error"]["message"]


async def test_what_is_not_built_is_refused(here: LocalDaemon) -> None:
    for more in ({"logprobs": True}, {"tools": [{"type": "function"}]}):
        answer = await here.http.post("/v1/chat/completions", json=chat(QUESTION, **more))
        assert answer.status_code == 422, answer.text
