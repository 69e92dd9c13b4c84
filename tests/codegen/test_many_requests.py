"""Many requests at one engine: each answer is what it would be alone, and nobody waits in vain."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from glm_codegen.code_engine import CodeEngine
from glm_protocol.answers import FinishReason
from glm_protocol.errors import EngineFailed
from glm_protocol.request_fields import Trigger
from glm_runtime.drafting import Guesses
from tests.codegen.engine_driver import (
    Answer,
    ScriptedStrand,
    complete,
    gather,
    load,
    request,
    scripted,
)
from tests.runtime.test_native_engine import BASE
from tests.runtime.tiny_models import write_model

AUTOMATIC, BACKGROUND, EXPLICIT = Trigger.AUTOMATIC, Trigger.BACKGROUND, Trigger.EXPLICIT


def test_rows_share_every_step() -> None:
    engine, decoder = scripted("x" * 50, rows=4)
    asked = [request(document=f"d{number}", max_tokens=8) for number in range(6)]
    for each in asked:
        engine.submit(each)
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    assert [answers[each.id].text for each in asked] == ["x" * 8] * 6
    assert max(decoder.widths) == 4
    assert decoder.forwards < 2 * (8 + 4), "they were worked on one after another"


def test_one_that_comes_later_joins_between_two_steps() -> None:
    engine, _ = scripted("x" * 50, rows=4)
    first, second = request(max_tokens=12), request(document="b", max_tokens=3)
    answers: dict[str, Answer] = {}
    engine.submit(first)
    gather(engine, answers, steps=4)
    engine.submit(second)
    gather(engine, answers, steps=4)
    assert answers[second.id].finish is FinishReason.LENGTH
    assert answers[first.id].finish is None
    assert len(answers[first.id].text) == 8, "a row that decodes waits for nobody's prompt"


def test_the_urgent_and_the_short_prompts_go_first() -> None:
    engine, _ = scripted("x" * 50, rows=4, chunk=100)
    asked = {
        name: request("y" * size, id=name, document=name, trigger=trigger, max_tokens=2)
        for name, size, trigger in [
            ("background", 10, BACKGROUND),
            ("long", 800, AUTOMATIC),
            ("short", 10, AUTOMATIC),
            ("urgent", 600, EXPLICIT),
        ]
    }
    for each in asked.values():
        engine.submit(each)
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    assert list(answers) == ["urgent", "short", "long", "background"]


def test_tenants_take_turns() -> None:
    engine, _ = scripted("x")
    for number in range(4):
        engine.submit(request(id=f"a{number}", document=f"a{number}"), tenant="a")
    for number in range(2):
        engine.submit(request(id=f"b{number}", document=f"b{number}"), tenant="b")
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    assert list(answers) == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_documents_of_two_tenants_are_two() -> None:
    engine, _ = scripted("x" * 9, rows=4)
    mine, theirs = request(), request()
    engine.submit(mine, tenant="a")
    engine.submit(theirs, tenant="b")
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    assert {answer.finish for answer in answers.values()} == {FinishReason.STOP}


def test_without_room_a_request_waits_for_another_to_end() -> None:
    engine, decoder = scripted("x" * 50, rows=4)
    decoder.room = 2
    asked = [request(document=f"d{number}", max_tokens=5) for number in range(5)]
    for each in asked:
        engine.submit(each)
    answers: dict[str, Answer] = {}
    gather(engine, answers, steps=3)
    engine.cancel(asked[0].id)
    gather(engine, answers)
    assert max(decoder.widths) == 2
    assert [answers[each.id].text for each in asked[1:]] == ["x" * 5] * 4


@pytest.mark.parametrize("how", ["not finite", "out of memory"])
def test_a_row_that_fails_costs_the_others_nothing(how: str) -> None:
    engine, decoder = scripted("x" * 50, rows=4)
    asked = [request(id=f"{n}", document=f"d{n}", max_tokens=9) for n in range(4)]
    good = decoder._logits

    def broken(strand: ScriptedStrand) -> torch.Tensor:
        bad = decoder.forwards == 5 and strand is decoder.strands[0]
        return good(strand) * float("nan") if bad else good(strand)

    if how == "not finite":
        decoder._logits = broken  # type: ignore[method-assign]
    else:
        decoder.fault[5] = EngineFailed("There was not enough memory for this request.")
    for each in asked:
        engine.submit(each)
    answers: dict[str, Answer] = {}
    gather(engine, answers)
    assert isinstance(answers["0"].error, EngineFailed)
    assert [answers[key].text for key in "123"] == ["x" * 9] * 3
    assert not decoder.strands
    assert decoder.cleared == 1, "nothing of it is kept"


def test_cancels_in_a_row_leave_nothing() -> None:
    engine, decoder = scripted("x" * 50, rows=4)
    asked = [request(document=f"d{number}") for number in range(12)]
    for turn in range(10_000):
        one = asked[turn % len(asked)]
        engine.cancel(one.id)
        if turn % 40 == 0:
            engine.step()
        engine._queue.remove(one.id)
        if turn % 10 == 0:
            engine.submit(one)
    for one in asked:
        engine.cancel(one.id)
    assert not engine.busy
    assert not decoder.strands
    assert complete(engine, request()).text == "x" * 16


SECRETS = [f"secret_{name} = '{name * 9}'\nprint(" for name in ("ada", "bob", "cyd", "dee", "eve")]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = {**BASE, "max_position_embeddings": 512}
    return write_model(tmp_path_factory.mktemp("tiny"), config)


def tiny_engine(tiny: Path, dtype: str) -> CodeEngine:
    engine = load(tiny, dtype=dtype)
    assert engine.info.rows == (16 if dtype == "int8" else 4)
    return engine


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_batched_is_single_and_nothing_leaks(tiny: Path, dtype: str) -> None:
    """Answers of five people with secrets, at once, in any order, are those of fresh engines."""
    wanted = {}
    for secret in SECRETS:
        wanted[secret] = complete(tiny_engine(tiny, dtype), request(secret, max_tokens=24))
    engine = tiny_engine(tiny, dtype)
    for order in (SECRETS, SECRETS[::-1], SECRETS[2:] + SECRETS[:2]):
        asked = {
            secret: request(secret, document=f"file:///{place}.py", max_tokens=24)
            for place, secret in enumerate(order)
        }
        answers: dict[str, Answer] = {}
        for place, secret in enumerate(order):
            engine.submit(asked[secret], tenant=str(place % 3))
            gather(engine, answers, steps=2)
        cancelled = engine.submit(request("secret_zoe", document="z", max_tokens=99))
        gather(engine, answers, steps=3)
        engine.cancel(cancelled)
        gather(engine, answers)
        for secret in SECRETS:
            assert answers[asked[secret].id].text == wanted[secret].text
            assert answers[asked[secret].id].finish == wanted[secret].finish


def test_a_prompt_that_fills_the_context(tiny: Path) -> None:
    engine = tiny_engine(tiny, "int8")
    asked = request("x = 1\n" * 400, "\ny = 2" * 400, max_tokens=8)
    end = complete(engine, asked).end
    assert end is not None
    assert end.tokens.prompt + end.tokens.generated <= 512
    assert end.tokens.prompt > 450, "it was cut to much less than what fits"
    assert complete(engine, asked).end is not None


class Wrong:
    """Guesses that are never right."""

    source = "wrong"

    def propose(self, said: object, most: int) -> list[int]:
        return [3] * most


def test_guesses_change_no_text(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = [complete(tiny_engine(tiny, "int8"), request(text)).text for text in SECRETS]
    wrong: Guesses = Wrong()
    monkeypatch.setattr("glm_runtime.decode.Repetition", lambda _prompt: wrong)
    monkeypatch.setattr("glm_runtime.drafting.DraftPace.worth", lambda *_a, most, **_k: most)
    engine = tiny_engine(tiny, "int8")
    assert [complete(engine, request(text)).text for text in SECRETS] == plain
