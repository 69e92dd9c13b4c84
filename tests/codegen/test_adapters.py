"""Adapters by request: whose answer it is, and that nobody gets another's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glm_codegen.code_engine import CodeEngine, load_engine
from glm_protocol.errors import AdapterUnknown, ModelUnusable
from glm_runtime.adapter import fingerprint
from glm_runtime.engine import EngineOptions
from tests.codegen.engine_driver import Answer, gather, request
from tests.runtime.native_configs import BASE
from tests.runtime.tiny_adapters import random_adapter, write_adapter
from tests.runtime.tiny_models import write_model


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CodeEngine:
    monkeypatch.setenv("GLM_LSP_HOME", str(tmp_path))
    folder = write_model(tmp_path / "tiny")
    for seed, name in enumerate(("one", "two")):
        write_adapter(
            tmp_path / "adapters" / name,
            random_adapter(seed),
            remote=f"host/{name}",
            published=True,
            fingerprint=fingerprint(folder),
        )
    return load_engine(EngineOptions(model=str(folder), device="cpu", dtype="float32"))


def ask(engine: CodeEngine, adapter: str | None) -> Answer:
    answers: dict[str, Answer] = {}
    asked = engine.submit(request(adapter=adapter, document=f"file:///{adapter}.py"))
    gather(engine, answers)
    assert answers[asked].end is not None
    return answers[asked]


def test_each_request_is_answered_by_the_adapter_that_it_names(engine: CodeEngine) -> None:
    alone = {name: ask(engine, name) for name in (None, "one", "two")}
    assert len({answer.text for answer in alone.values()}) == 3
    for name, answer in alone.items():
        assert answer.end is not None
        assert answer.end.adapter == name
    # All waiting at once, in turn with the base: the same answers again.
    answers: dict[str, Answer] = {}
    order = [None, "one", "two", "one", None, "two"]
    asked = [
        engine.submit(request(adapter=name, document=f"file:///{number}.py"))
        for number, name in enumerate(order)
    ]
    gather(engine, answers)
    for name, key in zip(order, asked, strict=True):
        assert answers[key].text == alone[name].text


def test_a_cancelled_row_leaves_nothing_of_its_adapter(engine: CodeEngine) -> None:
    plain = ask(engine, None).text
    asked = engine.submit(request(adapter="one"))
    gather(engine, {}, steps=3)
    engine.cancel(asked)
    assert ask(engine, None).text == plain


def test_the_repository_of_a_request_chooses_its_adapter(engine: CodeEngine) -> None:
    chosen, nobody = ask(engine, "@host/two"), ask(engine, "@host/three")
    assert chosen.end is not None
    assert chosen.end.adapter == "two"
    assert chosen.text == ask(engine, "two").text
    assert nobody.end is not None
    assert nobody.end.adapter is None
    assert nobody.text == ask(engine, None).text


def test_unknown_and_broken_adapters_are_refused_at_once(
    engine: CodeEngine, tmp_path: Path
) -> None:
    with pytest.raises(AdapterUnknown):
        engine.submit(request(adapter="three"))
    (tmp_path / "adapters" / "one" / "adapter_model.safetensors").write_bytes(b"torn")
    with pytest.raises(ModelUnusable):
        engine.submit(request(adapter="one"))


def test_an_adapter_removed_while_its_request_waits(engine: CodeEngine, tmp_path: Path) -> None:
    asked = engine.submit(request(adapter="one"))
    for file in (tmp_path / "adapters" / "one").iterdir():
        file.unlink()
    (tmp_path / "adapters" / "one").rmdir()
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    assert isinstance(answers[asked].error, AdapterUnknown)


def test_an_adapter_that_does_not_fit_is_an_error_of_its_request_alone(
    engine: CodeEngine, tmp_path: Path
) -> None:
    plain = ask(engine, None).text
    write_adapter(tmp_path / "adapters" / "deep", random_adapter(layers=3))
    asked = engine.submit(request(adapter="deep"))
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    assert isinstance(answers[asked].error, ModelUnusable)
    assert ask(engine, None).text == plain


def test_the_native_engine_takes_an_adapter_without_torch(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tiny", BASE)
    head = "base_model.model.model.layers.0.self_attn.o_proj.lora_"
    matrices = {f"{head}A.weight": torch.ones(4, 64), f"{head}B.weight": torch.ones(64, 4)}
    write_adapter(tmp_path / "adapters" / "one", matrices, fingerprint=fingerprint(folder))
    code = (
        "import sys\n"
        "from glm_codegen.code_engine import load_engine\n"
        "from glm_protocol.completion import CodeContext, CompletionRequest\n"
        "from glm_runtime.engine import EngineOptions\n"
        f"engine = load_engine(EngineOptions(model={str(folder)!r}, dtype='int8', device='cpu'))\n"
        "context = CodeContext(path='a.py', language='python', prefix='x = ', suffix='')\n"
        "engine.submit(CompletionRequest(id='r', document='d', context=context, adapter='one'))\n"
        "found = []\n"
        "while engine.busy:\n"
        "    found += engine.step()\n"
        "print(found[-1][1].end.adapter, 'torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env={**os.environ, "GLM_LSP_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["one", "False"], done.stderr
