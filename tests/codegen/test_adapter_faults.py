"""What befalls a request with an adapter leaves nothing of it: the base's next logits, bit for bit.

Rows of two adapters and of the base are at work together when a forward raises in its middle,
runs out of memory or loses a row; peft's switch by request was measured to keep its hooks then.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glm_codegen.code_engine import CodeEngine, load_engine
from glm_protocol.errors import EngineFailed
from glm_runtime import glm_model, model_loading
from glm_runtime.adapter import fingerprint
from glm_runtime.causal_model import as_array
from glm_runtime.engine import EngineOptions
from tests.codegen.engine_driver import Answer, gather, request
from tests.runtime.tiny_adapters import random_adapter, write_adapter
from tests.runtime.tiny_models import write_model

NAMES = ("one", "two", None)
Patch = pytest.MonkeyPatch


@pytest.fixture(params=["native", "glm", "transformers"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: Patch) -> CodeEngine:
    """One engine of each kind of model that serves adapters."""
    monkeypatch.setenv("GLM_LSP_HOME", str(tmp_path))
    folder = write_model(tmp_path / "tiny")
    for seed, name in enumerate(("one", "two")):
        write_adapter(
            tmp_path / "adapters" / name, random_adapter(seed), fingerprint=fingerprint(folder)
        )
    if request.param == "transformers":
        load = functools.partial(model_loading.load_model, native=False)
        monkeypatch.setattr(model_loading, "load_model", load)
    dtype = None if request.param == "native" else "float32"
    return load_engine(EngineOptions(model=str(folder), device="cpu", dtype=dtype))


def model_of(engine: CodeEngine) -> Any:
    return engine._decoder._model


def plain(engine: CodeEngine) -> tuple[str, list[Any]]:
    """What a plain request is told, and the logits of plain forwards of the same model."""
    answers: dict[str, Answer] = {}
    asked = engine.submit(request("import os\n\n\ndef plain(", document="file:///plain.py"))
    gather(engine, answers)
    assert answers[asked].end is not None
    model = model_of(engine)
    store, tokens = model.new_store(), list(range(10, 40))
    with torch.inference_mode():
        seen = [as_array(model.forward(part, store)).copy() for part in (tokens, [7], [9])]
    store.clear()
    return answers[asked].text, seen


def begin(engine: CodeEngine) -> list[str]:
    """Rows of both adapters and of the base, each a few steps on its way."""
    asked = [
        engine.submit(request(f"import {name}\n" * 20, adapter=name, document=f"file:///{name}.py"))
        for name in NAMES
    ]
    gather(engine, {}, steps=4)
    return asked


def failing(engine: CodeEngine, error: BaseException, patch: Patch) -> None:
    """The second layer of the next forward raises; the native one after all was computed."""
    model, calls = model_of(engine), iter(range(10**6))
    if hasattr(model, "forward_rows"):
        real_rows = model.forward_rows

        def rows(given: Any) -> Any:
            real_rows(given)
            raise error

        patch.setattr(model, "forward_rows", rows)
        return
    real = torch.nn.functional.silu

    def silu(*args: Any, **more: Any) -> torch.Tensor:
        if next(calls) == 1:
            raise error
        return real(*args, **more)

    patch.setattr(torch.nn.functional, "silu", silu)
    patch.setattr(glm_model, "silu", silu)


@pytest.mark.parametrize("how", ["exception", "memory", "cancel"])
def test_the_next_plain_request_is_the_bases(
    engine: CodeEngine, how: str, monkeypatch: Patch
) -> None:
    text, before = plain(engine)
    asked = begin(engine)
    answers: dict[str, Answer] = {}
    if how == "cancel":
        for key in asked:
            engine.cancel(key)
    else:
        error: BaseException = RuntimeError("boom") if how == "exception" else MemoryError()
        with monkeypatch.context() as patch:
            failing(engine, error, patch)
            step = functools.partial(gather, engine, answers, steps=3)
            if how == "exception":
                with pytest.raises(RuntimeError, match="boom"):
                    step()
            else:
                step()
        for key in asked:
            engine.cancel(key)
    gather(engine, answers)
    assert not any(
        answer.error is not None and not isinstance(answer.error, EngineFailed)
        for answer in answers.values()
    )
    again, after = plain(engine)
    assert again == text
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one, other)


def test_every_adapter_answers_as_before_after_a_fault(
    engine: CodeEngine, monkeypatch: Patch
) -> None:
    def ask(name: str | None) -> str:
        answers: dict[str, Answer] = {}
        key = engine.submit(request(adapter=name, document=f"file:///again-{name}.py"))
        gather(engine, answers)
        assert answers[key].end is not None
        return answers[key].text

    before = [ask(name) for name in NAMES]
    assert len(set(before)) == 3
    asked = begin(engine)
    with monkeypatch.context() as patch:
        failing(engine, MemoryError(), patch)
        gather(engine, {}, steps=2)
    for key in asked:
        engine.cancel(key)
    gather(engine, {})
    assert [ask(name) for name in NAMES] == before
