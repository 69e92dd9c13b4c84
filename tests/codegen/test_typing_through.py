"""Letters that agree with what is being said cost nothing; the first that does not begins anew."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from glm_codegen.code_engine import CodeEngine
from glm_codegen.completion_memory import CompletionMemory
from glm_codegen.workspace_memory import WorkspaceMemories
from glm_protocol.answers import FinishReason
from glm_protocol.completion import CompletionMode, GhostText
from glm_protocol.remembering import RememberedFile, RememberRequest
from glm_protocol.request_fields import Trigger
from glm_runtime.model_registry import bundled_models_folder
from tests.codegen.engine_driver import Answer, complete, gather, load, request, scripted

LINE = CompletionMode.LINE


def typed(prefix: str, suffix: str = "\n", **fields: Any) -> Any:
    return request(prefix, suffix, mode=LINE, max_tokens=40, **fields)


def test_decoding_goes_on_while_the_letters_agree() -> None:
    engine, decoder = scripted("value + other_value\nmore")
    first = typed("x = ")
    answers: dict[str, Answer] = {}
    engine.submit(first)
    gather(engine, answers, steps=6)
    prompt = decoder.prompt
    second = typed("x = val")
    engine.submit(second)
    gather(engine, answers)
    assert decoder.prompt is prompt, "it is the same prompt, so all of it is computed"
    assert answers[first.id].finish is FinishReason.SUPERSEDED
    assert answers[second.id].text == "ue + other_value"


@pytest.mark.parametrize(
    ("prefix", "kept"),
    [("x = ", True), ("x = v", True), ("x = value + ", True), ("x = value + other_value", True),
     ("x = w", False), ("x =", False), ("x = value + other_value + a_long_thing", False),
     ("x = value\n", False), ("y = value", False)],
)  # fmt: skip
def test_what_agrees_keeps_the_prompt(prefix: str, kept: bool) -> None:
    engine, decoder = scripted("value + other_value\nmore")
    complete(engine, typed("x = "))
    prompt = decoder.prompt
    decoder.forgiving = True
    complete(engine, typed(prefix))
    assert (decoder.prompt is prompt) == kept


def test_the_answer_is_what_is_left_to_type() -> None:
    engine, _ = scripted("value + other_value\nmore")
    complete(engine, typed("x = "))
    for count in range(1, 19):
        answer = complete(engine, typed(f"x = {'value + other_value'[:count]}"))
        assert answer.text == "value + other_value"[count:]


@pytest.mark.parametrize(
    "fields",
    [{"trigger": Trigger.EXPLICIT}, {"document": "file:///b.py"}, {"path": "b.py"},
     {"temperature": 0.5, "seed": 1}, {"workspace": "other"}],
)  # fmt: skip
def test_another_question_gets_a_prompt_of_its_own(fields: dict[str, Any]) -> None:
    engine, decoder = scripted("value + other_value\nmore")
    complete(engine, typed("x = "))
    prompt = decoder.prompt
    decoder.forgiving = True
    complete(engine, typed("x = va", **fields))
    assert decoder.prompt is not prompt


def test_a_report_is_about_the_new_place() -> None:
    engine, _ = scripted("value)\nmore")
    ghost = GhostText()
    complete(engine, typed("x = f(", ghost=ghost))
    answer = complete(engine, typed("x = f(val", ghost=ghost))
    assert answer.end is not None
    assert answer.end.report["final"] == "ue)"
    assert answer.end.report["typed"] == "val"


def test_strangers_have_documents_and_workspaces_of_their_own() -> None:
    engine, decoder = scripted("value + other_value\nmore", rows=2)
    decoder.forgiving = True
    answers: dict[str, Answer] = {}
    engine.submit(typed("x = "), tenant="a")
    gather(engine, answers)
    prompt = decoder.prompt
    for tenant, kept in (("b", False), ("", False), ("a", True)):
        engine.submit(typed("x = va"), tenant=tenant)
        gather(engine, answers)
        assert (decoder.prompt is prompt) == kept
    files = (RememberedFile(path="a.py", text="secret = 1"),)
    engine.submit(RememberRequest(id="m", document="m", workspace="w", files=files), tenant="a")
    gather(engine, answers)
    assert answers["m"].end is not None


class Once:
    """Counts the prompts that the decoder takes up."""

    def __init__(self, engine: CodeEngine) -> None:
        self.prompts: list[int] = []
        decoder: Any = engine._decoder
        begin = decoder.begin

        def noting(prompt: Any, *rest: Any, **options: Any) -> Any:
            self.prompts.append(len(prompt))
            return begin(prompt, *rest, **options)

        decoder.begin = noting


def test_the_next_prompt_is_computed_when_nobody_asks() -> None:
    engine = load(bundled_models_folder() / "nano-code", dtype="int8")
    noted = Once(engine)
    answer = complete(engine, typed(START, suffix=SUFFIX))
    assert len(noted.prompts) == 2
    taken = typed(START + answer.text, suffix=SUFFIX, trigger=Trigger.EXPLICIT)
    following = complete(engine, taken)
    assert following.end is not None
    assert following.end.tokens.reused >= following.end.tokens.prompt - 2


def test_what_comes_drops_it_at_once() -> None:
    engine = load(bundled_models_folder() / "nano-code", dtype="int8")
    noted = Once(engine)
    answers: dict[str, Answer] = {}
    first = engine.submit(typed(START, suffix=SUFFIX * 9))
    while first not in answers or not answers[first].closed:
        gather(engine, answers, steps=1)
    assert engine.busy, "there is something to compute ahead"
    gather(engine, answers, steps=2)
    assert len(noted.prompts) == 2
    second = engine.submit(typed("import ", document="file:///b.py"))
    gather(engine, answers, steps=1)
    assert len(noted.prompts) == 3
    assert engine._decoder._shelf.at_work == 1, "nothing else is at work any more"
    gather(engine, answers)
    assert answers[second].closed
    assert engine._decoder._shelf.at_work == 0


SUFFIX = "\n\n    def far(self):\n        return self.x > 9\n" * 4
START = "class Point:\n    def __init__(self, x, y):\n        self.x = x\n        self."


def typing(script: list[tuple[str, int | None]]) -> tuple[list[str], CodeEngine]:
    """Texts of requests, each after so many steps of the one before; None: when it has ended."""
    engine = load(bundled_models_folder() / "nano-code", dtype="int8")
    texts = []
    for letters, steps in script:
        answers: dict[str, Answer] = {}
        asked = engine.submit(typed(START + letters))
        gather(engine, answers, steps=steps)
        texts.append(answers[asked].text if asked in answers else "")
    return texts, engine


def test_a_real_engine_says_the_same_with_less_work() -> None:
    (whole,), _ = typing([("", None)])
    assert len(whole) > 4
    script: list[tuple[str, int | None]] = [("", 4), (whole[:1], 1), (whole[:2], 1)]
    texts, engine = typing([*script, (whole[:3], None)])
    assert texts[-1] == whole[3:]
    assert engine._decoder.steps < engine._decoder.tokens, "what was decoded is checked at once"


def test_what_was_read_for_an_answer_goes_with_it() -> None:
    """Neither the last suggestion nor a cycle keeps memories: 64 documents would hold as many
    workspaces, and the garbage collector counts objects, not bytes."""
    engine = load(bundled_models_folder() / "nano-code")
    memories: list[weakref.ref[CompletionMemory]] = []
    made = WorkspaceMemories.for_completion

    def noted(*given: Any, **named: Any) -> CompletionMemory | None:
        memory = made(*given, **named)
        assert memory is not None
        memories.append(weakref.ref(memory))
        return memory

    gc.collect()
    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(WorkspaceMemories, "for_completion", noted)
            for ghost in (None, GhostText(count=2)):
                complete(engine, typed("def area(w, h):\n    return ", ghost=ghost))
        assert len(memories) == 2
        assert [memory() for memory in memories] == [None, None]
    finally:
        gc.enable()
