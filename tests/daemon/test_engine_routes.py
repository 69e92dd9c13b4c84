"""Every kind of request goes one way: HTTP, queue, worker, and back piece by piece."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from glm_daemon.model_table import TRANSLATOR, ModelTable
from glm_protocol.answers import Chunk
from glm_protocol.chat import ChatMessage, ChatRequest, ImageData, Role
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import ModelUnknown
from glm_protocol.requests import AnyRequest, request_from_wire
from glm_protocol.translation import TranslationRequest
from glm_runtime.engine import EngineOptions
from glm_runtime.fake_answers import fake_answer, png
from glm_runtime.fake_engine import DRAW_STEPS
from tests.support.local_daemon import local_daemon

PICTURE = ImageData(data=base64.b64encode(png(3, 2, b"\x10\x20\x30")).decode())
ASK = ChatMessage(role=Role.USER, text="What is this?")
LOOK = ChatMessage(role=Role.USER, text="What is this?", images=(PICTURE,))
HEAD: dict[str, Any] = {"id": "one", "document": "file:///a.py"}
REQUESTS: list[AnyRequest] = [
    CompletionRequest(
        **HEAD, context=CodeContext(path="a.py", language="python", prefix="x = ", suffix="")
    ),
    ChatRequest(**HEAD, messages=(ASK,), options={"task": "explain"}),
    ChatRequest(**HEAD, messages=(LOOK,)),
    TranslationRequest(**HEAD, code="int x;", source="c", target="python", names=("x = y",)),
    DrawRequest(**HEAD, prompt="a red circle", width=5, height=4, count=2, seed=7),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.kind)
def test_the_wire_keeps_everything(request_: AnyRequest) -> None:
    wire = json.loads(json.dumps(request_.to_wire()))
    assert request_from_wire(request_.kind, wire) == request_


async def test_every_kind_is_answered() -> None:
    async with local_daemon() as here:
        for request in REQUESTS:
            answer = await here.http.post(f"/glm/v1/{request.kind}", json=request.to_wire())
            assert answer.status_code == 200, answer.text
            chunks = [Chunk.from_wire(json.loads(line)) for line in answer.text.splitlines()]
            expected = fake_answer(request)
            assert "".join(chunk.text for chunk in chunks) == expected.text
            assert [chunk.image for chunk in chunks if chunk.image] == list(expected.images)
            assert chunks[-1].end is not None
            if expected.images:
                steps = [chunk.progress.step for chunk in chunks if chunk.progress]
                assert steps[-1] == DRAW_STEPS
                assert chunks[-1].end.report == {"seed": 7}


async def test_a_field_out_of_bounds_is_named() -> None:
    async with local_daemon() as here:
        wire = {**REQUESTS[-1].to_wire(), "width": 0}
        answer = await here.http.post("/glm/v1/draw", json=wire)
        assert answer.status_code == 400
        assert "width" in answer.json()["error"]["message"]


def table(tmp_path: Path, models: dict[str, str], served: str = "") -> ModelTable:
    file = tmp_path / "models.json"
    specs: dict[str, Any] = {
        name: {"source": f"/m/{name}", "family": family, "prompt_format": None, "capabilities": []}
        for name, family in models.items()
    }
    file.write_text(json.dumps({"version": 2, "defaults": {}, "models": specs}))
    return ModelTable(registry=file, options=EngineOptions(model=served))


def test_the_model_follows_from_the_kind(tmp_path: Path) -> None:
    complete, ask, look, translate, draw = REQUESTS
    models = table(tmp_path, {"seer": "vision", "painter": "image", "coder": "code"})
    assert [models.default_for(request) for request in (complete, ask)] == ["nano-code"] * 2
    assert models.default_for(look) == "seer"
    assert models.default_for(draw) == "painter"
    known = TRANSLATOR in models.names()
    assert models.default_for(translate) == (TRANSLATOR if known else "nano-code")
    served = table(tmp_path, {"coder": "code", "seer": "vision"}, served="coder")
    assert {served.default_for(r) for r in (complete, ask, translate)} == {"coder"}
    assert served.default_for(look) == "seer"


def test_no_model_of_a_family_is_a_clear_error(tmp_path: Path) -> None:
    models = table(tmp_path, {})
    for request, family in ((REQUESTS[2], "vision"), (REQUESTS[4], "image")):
        if family not in {models.family(name) for name in models.names()}:
            with pytest.raises(ModelUnknown, match="No model that"):
                models.default_for(request)


def test_the_fake_answers_everything(tmp_path: Path) -> None:
    models = table(tmp_path, {"seer": "vision"}, served="fake")
    assert {models.default_for(request) for request in REQUESTS} == {"fake"}
