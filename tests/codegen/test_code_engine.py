"""The engine's promises about requests, on a model that says what the test wrote."""

from __future__ import annotations

import pytest
import torch

from glm_protocol.answers import FinishReason
from glm_protocol.completion import CompletionMode, Snippet
from glm_protocol.errors import AdapterUnknown, BadRequest, EngineFailed, PromptTooLong
from glm_protocol.request_fields import Trigger
from tests.codegen.engine_driver import (
    Answer,
    Clock,
    ScriptedStrand,
    complete,
    gather,
    request,
    scripted,
)
from tests.runtime.tiny_models import CONTROL

LINE, BLOCK = CompletionMode.LINE, CompletionMode.BLOCK


def test_a_line() -> None:
    engine, _ = scripted("x + 1\nmore")
    answer = complete(engine, request(max_tokens=50))
    assert answer.text == "x + 1"
    assert len(answer.pieces) > 1, "it was not streamed"
    assert answer.end is not None
    assert answer.end.finish is FinishReason.STOP
    assert answer.end.model == "scripted"
    assert answer.end.tokens.generated == 6
    assert answer.end.tokens.prompt > 30
    assert not engine.busy


def test_the_models_own_stop() -> None:
    engine, decoder = scripted("x")
    answer = complete(engine, request())
    assert (answer.text, answer.finish) == ("x", FinishReason.STOP)
    assert decoder.forwards == 2


def test_the_budget() -> None:
    engine, decoder = scripted("x" * 99)
    answer = complete(engine, request(max_tokens=7))
    assert (answer.text, answer.finish) == ("x" * 7, FinishReason.LENGTH)
    assert decoder.forwards == 7, "the last token needs no forward of its own"


def test_stop_strings_across_tokens() -> None:
    engine, _ = scripted("one STOP two")
    answer = complete(engine, request(stop=("STOP",)))
    assert (answer.text, answer.finish) == ("one ", FinishReason.STOP)


def test_half_a_character_is_never_sent() -> None:
    engine, _ = scripted("é🎉漢" * 3)
    answer = complete(engine, request(max_tokens=22))
    assert answer.text == "é🎉漢é🎉漢é"  # 22 bytes, of which 20 make whole characters
    assert all("\ufffd" not in piece for piece in answer.pieces)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_are_the_documents(newline: str) -> None:
    engine, decoder = scripted("\n    a\n    b\n")
    answer = complete(
        engine, request(f"x = 1{newline}def f():", f"{newline}y{newline}", mode=BLOCK)
    )
    assert answer.text == f"{newline}    a{newline}    b{newline}"
    carriage_return = 141  # id of byte 13 in the byte tokenizer's alphabet
    assert carriage_return not in decoder.prompt


def test_a_stop_string_in_the_documents_line_ends() -> None:
    engine, _ = scripted("a\n\nb")
    answer = complete(engine, request("x\r\n", "", mode=BLOCK, stop=("\r\n\r\n",)))
    assert answer.text == "a"


def test_the_newest_of_a_document_wins() -> None:
    engine, _ = scripted("x" * 50)
    answers: dict[str, Answer] = {}
    running, waiting, newest = request(), request(), request()
    other = request(document="file:///b.py")
    engine.submit(running)
    gather(engine, answers, steps=3)
    for asked in (other, waiting, newest):
        engine.submit(asked)
    gather(engine, answers)
    assert answers[running.id].end is not None
    assert answers[running.id].text
    finishes = {key: answer.finish for key, answer in answers.items()}
    assert finishes == {
        running.id: FinishReason.SUPERSEDED,
        waiting.id: FinishReason.SUPERSEDED,
        newest.id: FinishReason.LENGTH,
        other.id: FinishReason.LENGTH,
    }


def test_order_of_service() -> None:
    engine, _ = scripted("x")
    asked = {
        name: request(id=name, document=name, trigger=trigger)
        for name, trigger in [
            ("background", Trigger.BACKGROUND),
            ("automatic 1", Trigger.AUTOMATIC),
            ("automatic 2", Trigger.AUTOMATIC),
            ("explicit", Trigger.EXPLICIT),
        ]
    }
    for each in asked.values():
        engine.submit(each)
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    assert list(answers) == ["explicit", "automatic 1", "automatic 2", "background"]


def test_cancel_inside_a_long_prefill() -> None:
    engine, decoder = scripted("x" * 50, chunk=10)
    asked = request("y" * 500)
    engine.submit(asked)
    answers: dict[str, Answer] = {}
    gather(engine, answers, steps=3)
    assert decoder.forwards == 3
    engine.cancel(asked.id)
    assert not engine.busy
    assert engine.step() == []
    assert decoder.forwards == 3
    assert answers == {}


def test_cancel_while_decoding() -> None:
    engine, decoder = scripted("x" * 50)
    asked = request()
    engine.submit(asked)
    gather(engine, {}, steps=5)
    before = decoder.forwards
    engine.cancel(asked.id)
    assert engine.step() == []
    assert decoder.forwards == before


def test_cancel_of_what_waits_and_of_what_is_unknown() -> None:
    engine, _ = scripted("x")
    running, waiting = request(), request(document="b")
    engine.submit(running)
    engine.submit(waiting)
    engine.cancel(waiting.id)
    engine.cancel("unknown")
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    assert list(answers) == [running.id]


def test_cancel_of_a_superseded_one_takes_its_end_back() -> None:
    engine, _ = scripted("x")
    older, newer = request(), request()
    engine.submit(older)
    engine.submit(newer)
    engine.cancel(older.id)
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    assert list(answers) == [newer.id]


def test_the_deadline_while_decoding() -> None:
    clock = Clock()
    engine, _ = scripted("x" * 50, clock=clock)
    answer = complete(engine, request(max_tokens=50, deadline_ms=95))
    assert answer.end is not None
    assert answer.end.finish is FinishReason.DEADLINE
    assert answer.text == "x" * 10  # 10 ms for each forward
    assert answer.end.timings_ms.total == pytest.approx(100)
    assert answer.end.timings_ms.prefill == pytest.approx(10)
    assert answer.end.timings_ms.decode == pytest.approx(90)


def test_the_deadline_gives_what_a_stop_rule_held_back() -> None:
    clock = Clock()
    engine, _ = scripted("a STOX" + "x" * 50, clock=clock)
    answer = complete(engine, request(max_tokens=50, deadline_ms=50, stop=("STOP",)))
    assert answer.text == "a STO"


def test_the_deadline_in_prefill_and_in_the_queue() -> None:
    clock = Clock()
    engine, decoder = scripted("x" * 50, clock=clock, chunk=10)
    first = request("y" * 500, deadline_ms=95)
    second = request(document="b", deadline_ms=85)
    engine.submit(first)
    engine.submit(second)
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    for asked in (first, second):
        answer = answers[asked.id]
        assert (answer.text, answer.finish) == ("", FinishReason.DEADLINE)
    assert decoder.forwards == 10


def test_timings_and_counts() -> None:
    clock = Clock()
    engine, _ = scripted("x" * 50, clock=clock, chunk=20)
    engine.submit(request(document="b", max_tokens=3))
    asked = request("z" * 30, max_tokens=4)
    engine.submit(asked)
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    end = answers[asked.id].end
    assert end is not None
    chunks = -(-end.tokens.prompt // 20)
    assert end.tokens.generated == 4
    assert end.timings_ms.queue > 0
    assert end.timings_ms.prefill == pytest.approx(10 * chunks)
    assert end.timings_ms.decode == pytest.approx(30)
    assert end.timings_ms.first_text == pytest.approx(end.timings_ms.queue + 10 * chunks)
    assert end.timings_ms.total == pytest.approx(end.timings_ms.queue + 10 * chunks + 30)


def test_memory_runs_out_for_one_request_alone() -> None:
    engine, decoder = scripted("x" * 20)
    decoder.fault[3] = EngineFailed("There was not enough memory for this request.")
    failed = complete(engine, request())
    assert isinstance(failed.error, EngineFailed)
    assert failed.text == "xx"
    assert decoder.cleared == 1
    assert complete(engine, request()).text == "x" * 16


def test_logits_that_are_not_finite_fail_one_request_alone() -> None:
    engine, decoder = scripted("x" * 20)
    good = decoder._logits

    def broken(strand: ScriptedStrand) -> torch.Tensor:
        return good(strand) * float("nan") if decoder.forwards == 4 else good(strand)

    decoder._logits = broken  # type: ignore[method-assign]
    failed = complete(engine, request())
    assert isinstance(failed.error, EngineFailed)
    assert failed.error.remedy
    assert complete(engine, request()).text == "x" * 16


def test_other_faults_reach_the_worker() -> None:
    engine, decoder = scripted("x")
    decoder.fault[1] = RuntimeError("device lost")
    engine.submit(request())
    with pytest.raises(RuntimeError, match="device lost"):
        engine.step()


def test_an_id_at_work_and_an_adapter_are_refused() -> None:
    engine, _ = scripted("x" * 50)
    engine.submit(request(id="a"))
    engine.submit(request(id="b", document="b"))
    engine.step()
    for taken in ("a", "b"):
        with pytest.raises(BadRequest, match="at work already"):
            engine.submit(request(id=taken, document="c"))
    with pytest.raises(AdapterUnknown):
        engine.submit(request(adapter="mine"))


def test_prompts_fit_the_context_whatever_they_hold() -> None:
    engine, decoder = scripted("x" * 999, context_length=256)
    snippets = tuple(Snippet(id=str(i), path="b.py", text="s" * 50) for i in range(9))
    for size in (0, 1, 100, 200, 250, 256, 300, 10_000):
        for max_tokens in (1, 64, 4096):
            asked = request("p" * size, "q" * size, max_tokens=max_tokens, snippets=snippets)
            answer = complete(engine, asked)
            assert answer.end is not None
            assert answer.end.finish is FinishReason.LENGTH
            assert len(decoder.prompt) <= 256 - min(max_tokens, 128)
            assert len(decoder.prompt) + len(answer.text) <= 256


def test_a_prompt_may_fill_the_context_to_the_last_token() -> None:
    engine, decoder = scripted("x" * 999, context_length=256)
    complete(engine, request("p", "", max_tokens=20))
    fits = 236 - len(decoder.prompt) + 1
    for size in (fits - 1, fits, fits + 1):
        answer = complete(engine, request("p" * size, "", max_tokens=20))
        assert len(answer.text) == 20
        assert size > fits or len(decoder.prompt) == 236 - (fits - size)
    assert len(decoder.prompt) < 236, "what does not fit is cut"


def test_a_context_too_small_for_the_headers() -> None:
    engine, _ = scripted("x", context_length=60)
    answer = complete(engine, request(path="long/" * 20))
    assert isinstance(answer.error, PromptTooLong)
    assert "60 tokens" in answer.error.message
    assert not engine.busy


@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [
        ("", ""),
        ("\n", ""),
        ("a" * 1_000_000, "b" * 1_000_000),
        ("\x00\x01\xff" * 1000, "\x7f\x00"),
        ("\ud83c", "\udf89\ud800"),
        ("🎉" * 5000, "👩‍👩‍👧‍👦" * 999),
        ("a\r\nb\rc\n", "\r\n"),
        (" " * 100_000, "\t" * 100_000),
        ("<|endoftext|><|user|>[gMASK]", "<|code_middle|>"),
    ],
)
@pytest.mark.parametrize("control", [CONTROL, ()], ids=["infilling", "left to right"])
def test_hostile_texts(prefix: str, suffix: str, control: tuple[str, ...]) -> None:
    engine, _ = scripted("x", context_length=512, control=control)
    answer = complete(engine, request(prefix, suffix, language="", max_tokens=1))
    assert answer.text == "x"


def test_notes_of_a_fallback_show() -> None:
    engine, decoder = scripted("x")
    assert not engine.info.notes
    decoder.notes = ("fell back from npu to cpu: why",)
    assert engine.info.notes == ("fell back from npu to cpu: why",)
