"""The fake engine: deterministic, obedient, and faulty on order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glm_protocol.answers import Chunk, End, FinishReason
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest
from glm_protocol.errors import BadRequest, EngineFailed, ModelUnusable, PromptTooLong
from glm_runtime.engine import EngineInfo, EngineOptions
from glm_runtime.fake_answers import context_hash, fake_text, said
from glm_runtime.fake_engine import (
    CONTEXT_LENGTH,
    TOKEN,
    FakeEngine,
    FakeScript,
    Fault,
    load_engine,
)
from tests.support.daemon_process import completion_request


def context(prefix: str) -> CodeContext:
    return CodeContext(path="a.py", language="python", prefix=prefix, suffix="")


def answer(engine: FakeEngine, request: CompletionRequest) -> tuple[str, End]:
    engine.submit(request)
    text, end = "", None
    while engine.busy:
        for _, chunk in engine.step():
            assert isinstance(chunk, Chunk)
            text, end = text + chunk.text, chunk.end
    assert end is not None
    return text, end


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("    return ", "fake_value_{}"),
        ("def ", "fake_function_{}():"),
        ("x = foo(", "fake_argument_{})"),
        ("", "fake_completion_{}()"),
        ('    """', "the fake model says nothing but these words {}"),
        ("if x:\n    ", "fake_completion_{}()\n    fake_second_{}()"),
    ],
)
def test_the_answer_follows_from_the_context(prefix: str, text: str) -> None:
    name = context_hash(context(prefix))
    assert fake_text(context(prefix)) == text.replace("{}", name)
    engine = FakeEngine()
    assert answer(engine, completion_request(prefix))[0] == text.replace("{}", name)
    assert [said(seen) for seen in engine.seen] == [prefix]


def test_modes() -> None:
    block = fake_text(context("x"), CompletionMode.BLOCK)
    assert block.count("\n") == 1
    assert fake_text(context("if x:\n    "), CompletionMode.LINE).count("\n") == 0


def test_budget_stop_and_deadline() -> None:
    request = completion_request(max_tokens=1)
    text, end = answer(FakeEngine(), request)
    assert (len(text), end.finish, end.tokens.generated) == (TOKEN, FinishReason.LENGTH, 1)
    text, end = answer(FakeEngine(), completion_request(stop=("_argument",)))
    assert (text, end.finish) == ("fake", FinishReason.STOP)
    late = FakeEngine(script=FakeScript(text="x" * 800, step_delay_s=0.01))
    text, end = answer(late, completion_request(deadline_ms=50, max_tokens=1000))
    assert 0 < len(text) < 800
    assert end.finish is FinishReason.DEADLINE


def test_prefix_of_the_last_prompt_counts_as_reused() -> None:
    engine = FakeEngine()
    answer(engine, completion_request("a" * 80))
    _, end = answer(engine, completion_request("a" * 80 + "b" * 40))
    assert (end.tokens.prompt, end.tokens.reused) == (15, 10)


def test_cancel_gives_no_more_chunks() -> None:
    engine = FakeEngine(script=FakeScript(text="x" * 800))
    engine.submit(completion_request())
    engine.step()
    engine.cancel("1")
    engine.cancel("unknown")
    assert not engine.busy
    assert engine.cancelled == ["1"]


def test_rows_are_worked_on_together() -> None:
    engine = FakeEngine(script=FakeScript(rows=2))
    for request_id in "123":
        engine.submit(completion_request(id=request_id))
    engine.step()
    assert {request_id for request_id, _ in engine.step()} == {"1", "2"}


def test_refusals() -> None:
    engine = FakeEngine()
    engine.submit(completion_request())
    with pytest.raises(BadRequest):
        engine.submit(completion_request())
    with pytest.raises(PromptTooLong):
        engine.submit(completion_request("x" * (TOKEN * CONTEXT_LENGTH + 1), id="2"))


def test_scripted_faults() -> None:
    engine = FakeEngine(script=FakeScript(fault=Fault.OOM, at_step=2))
    engine.submit(completion_request())
    engine.step()
    with pytest.raises(MemoryError):
        engine.step()
    engine = FakeEngine(script=FakeScript(fault=Fault.NAN, poison="bad"))
    engine.submit(completion_request("good"))
    assert answer(FakeEngine(), completion_request("good"))[1].finish is FinishReason.STOP
    engine = FakeEngine(script=FakeScript(fault=Fault.NAN, poison="bad"))
    engine.submit(completion_request("bad"))
    [(request_id, error)] = engine.step()
    assert request_id == "1"
    assert isinstance(error, EngineFailed)
    assert not engine.busy


def test_once_only(tmp_path: Path) -> None:
    script = FakeScript(fault=Fault.OOM, at_step=1, once=str(tmp_path / "marker"))
    engine = FakeEngine(script=script)
    engine.submit(completion_request())
    with pytest.raises(MemoryError):
        engine.step()
    answer(FakeEngine(script=script), completion_request())


def test_journal_holds_steps_and_no_text(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    answer(FakeEngine(script=FakeScript(journal=str(journal))), completion_request("canary("))
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line["op"] for line in lines][:2] == ["load", "submit"]
    assert sum(line["op"] == "step" for line in lines) == 4
    assert "canary" not in journal.read_text()


def test_loader_reads_the_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = EngineOptions(model="fake")
    script = FakeScript(text="hello", banner="Welcome!", fault=Fault.HANG, at_step=99)
    for name, value in script.to_environment().items():
        monkeypatch.setenv(name, value)
    engine = load_engine(options)
    assert engine.script == script
    assert capsys.readouterr().out == "Welcome!\n"
    assert EngineInfo.from_wire(engine.info.to_wire()) == engine.info
    for name, value in FakeScript(load_error="Torn.").to_environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ModelUnusable, match="Torn"):
        load_engine(options)
