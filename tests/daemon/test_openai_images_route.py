"""`POST /v1/images/generations` and `/v1/images/edits` as OpenAI's clients read them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from glm_daemon.form_data import read_form
from glm_daemon.routes.openai_images import png_size
from glm_protocol.errors import BadRequest
from glm_runtime.fake_answers import png
from tests.support.local_daemon import LocalDaemon, local_daemon

FORM = "multipart/form-data; boundary=xx"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[LocalDaemon]:
    async with local_daemon() as running:
        yield running


@pytest.mark.e2e
@pytest.mark.asyncio(loop_scope="module")
async def test_pictures_of_the_asked_size(here: LocalDaemon) -> None:
    body = {"prompt": "a red circle", "n": 2, "size": "20x10", "seed": 4, "quality": "hd"}
    answer = await here.http.post("/v1/images/generations", json=body)
    wire = answer.json()
    assert answer.status_code == 200, wire
    assert len(wire["data"]) == 2
    first = base64.b64decode(wire["data"][0]["b64_json"])
    assert png_size(first) == (20, 10)
    assert wire["glm"]["model"] == "fake"
    assert wire["glm"]["seed"] == 4


@pytest.mark.e2e
@pytest.mark.asyncio(loop_scope="module")
async def test_stream_has_openais_events_and_every_step(here: LocalDaemon) -> None:
    body = {"prompt": "a cat", "size": "8x6", "stream": True, "partial_images": 1, "n": 2}
    answer = await here.http.post("/v1/images/generations", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    parts = [part for part in answer.text.split("\n\n") if part]
    events = [json.loads(part.partition("data: ")[2]) for part in parts if part[:2] == "ev"]
    assert [event["type"] for event in events] == [
        "image_generation.partial_image",
        "image_generation.completed",
        "image_generation.completed",
    ]
    assert events[0]["partial_image_index"] == 0
    assert all(png_size(base64.b64decode(event["b64_json"])) == (8, 6) for event in events)
    assert any(part.startswith(": step ") for part in parts)


@pytest.mark.e2e
@pytest.mark.asyncio(loop_scope="module")
async def test_edit_has_the_size_of_its_picture(here: LocalDaemon) -> None:
    picture = png(12, 6, b"\1\2\3\xff")
    form = {"image": ("a.png", picture), "mask": ("m.png", picture)}
    answer = await here.http.post("/v1/images/edits", files=form, data={"prompt": "a hat"})
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert png_size(base64.b64decode(data[0]["b64_json"])) == (12, 6)


@pytest.mark.e2e
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "body",
    [
        {"prompt": ""},
        {"prompt": "x" * 10_001},
        {"prompt": "x", "size": "0x1"},
        {"prompt": "x", "size": "-1x1"},
        {"prompt": "x", "size": "100000x1"},
        {"prompt": "x", "n": 0},
        {"prompt": "x", "response_format": "url"},
        {"prompt": "x", "output_format": "webp"},
        {"prompt": "x", "stream": True, "partial_images": 4},
    ],
)
async def test_what_cannot_be_drawn_is_refused(here: LocalDaemon, body: dict[str, Any]) -> None:
    answer = await here.http.post("/v1/images/generations", json=body)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.e2e
@pytest.mark.asyncio(loop_scope="module")
async def test_edit_without_a_picture_is_refused(here: LocalDaemon) -> None:
    answer = await here.http.post("/v1/images/edits", json={"prompt": "x"})
    assert answer.status_code == 400
    answer = await here.http.post("/v1/images/edits", files={"mask": b"x"}, data={"prompt": "x"})
    assert answer.status_code == 400


def test_form_keeps_bytes_as_they_are() -> None:
    data = bytes(range(256)) + b"\r\n\r\n--x\r\n"
    body = (
        b'--xx\r\nContent-Disposition: form-data; name="image[]"; filename="name.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + data + b"\r\n--xx\r\n"
        b'Content-Disposition: form-data; name="prompt"\r\n\r\nein B\xc3\xa4r\r\n--xx--\r\n'
    )
    form = read_form(FORM, body)
    assert form.parts["image"] == data
    assert form.text("prompt") == "ein Bär"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        (FORM, b""),
        (FORM, b"--xx\r\n\r\nno head"),
        (FORM, b"--xx\r\nX: y\r\n\r\nz\r\n--xx--"),
        (FORM, b"--xx\r\n" * 100 + b"--xx--"),
    ],
)
def test_what_is_no_form_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_form(kind, body)
