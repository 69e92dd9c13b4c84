"""The plan of a translation: forms, forced lines, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from glm_codegen.prompt_formats.choose import choose_format
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.row_plan import ModelParts
from glm_codegen.translation.nano_format import NanoTranslateFormat, untyped
from glm_codegen.translation.outline_answer import OutlineAnswer
from glm_codegen.translation.prompt_forms import FencedText, ListingText, listing_prompt, question
from glm_codegen.translation_kind import TranslationForm, translation_form, translation_planner
from glm_protocol.answers import FinishReason
from glm_protocol.errors import BadRequest, PromptTooLong, Unsupported
from glm_protocol.translation import TranslationRequest

NANO_CODE = Path(__file__).parents[3] / "models" / "nano-code"
CODE = "def double(value: int) -> int:\n    return 2 * value\n"


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer.from_folder(NANO_CODE)


def parts(
    tokenizer: TextTokenizer, folder: Path, context: int = 512, **config: object
) -> ModelParts:
    (folder / "config.json").write_text(json.dumps({"model_type": "glm", **config}))
    return ModelParts(
        model="m",
        tokenizer=tokenizer,
        prompt_format=choose_format(tokenizer, "glm"),
        context_length=context,
        folder=folder,
    )


def request(
    code: str = CODE, source: str = "python", target: str = "java", **more: object
) -> TranslationRequest:
    return TranslationRequest(id="1", document="d", code=code, source=source, target=target, **more)  # type: ignore[arg-type]


def drive(
    answer: OutlineAnswer, form: NanoTranslateFormat, chunks: list[str]
) -> tuple[list[int], str]:
    """Play a model that says `chunks`, one a line of the source, the last to close."""
    script = [[*form.placeholders.encode(chunk), form.ask] for chunk in chunks[:-1]]
    script.append([*form.placeholders.encode(chunks[-1]), form.end])
    tokens: list[int] = []
    text = ""
    while not tokens or tokens[-1] != form.end:
        said = script[0][0] if script and script[0] else form.ask
        logits = torch.zeros(form.placeholders.count + 9000)
        logits[said] = 1.0
        free = not answer._forced
        token = answer.next_token(logits)
        tokens.append(token)
        if free and script and script[0]:
            script[0].pop(0)
            if not script[0]:
                script.pop(0)
        if token == form.end:
            text += answer.stop_by_model()
        else:
            text += answer.add("")
        assert len(tokens) < 500
    return tokens, text


def test_lines_of_the_source_are_forced_between_those_of_the_model(
    tokenizer: TextTokenizer, tmp_path: Path
) -> None:
    ready = parts(tokenizer, tmp_path, glm_translation="outline")
    plan = translation_planner(ready)(request(), ready)
    answer, form = plan.chooser, NanoTranslateFormat(tokenizer)
    assert isinstance(answer, OutlineAnswer)
    found = form.outline(CODE, "python")
    said = ["\npublic static int \ue000(int \ue001) {", "\n    return 2 * \ue001;", "\n}"]
    tokens, text = drive(answer, form, said)
    assert text == "public static int double_(int value) {\n    return 2 * value;\n}"
    forced = form.line_ids(found.lines[1])
    assert any(tokens[at : at + len(forced)] == forced for at in range(len(tokens)))
    assert plan.report(text, FinishReason.STOP) == {
        "names": ["double = double_", "value = value"],
        "text": text,
        "attempts": 1,
        "faults": 0,
        "chosen_tokens": sum(len(form.placeholders.encode(line)) + 1 for line in said),
    }


def test_a_line_that_speaks_against_itself_is_tried_again(
    tokenizer: TextTokenizer, tmp_path: Path
) -> None:
    ready = parts(tokenizer, tmp_path, glm_translation="outline")
    plan = translation_planner(ready)(request(), ready)
    form = NanoTranslateFormat(tokenizer)
    assert isinstance(plan.chooser, OutlineAnswer)
    head, end = "\npublic static int \ue000(int \ue001) {", "\n}"
    _, wrong = drive(plan.chooser, form, [head, "\n    return 3 * \ue001;", end])
    assert plan.chooser.faulty
    following = plan.again(wrong, FinishReason.STOP)
    assert following is not None
    assert isinstance(following.chooser, OutlineAnswer)
    begun = following.prompt.token_ids
    assert begun[: len(plan.prompt.token_ids)] == plan.prompt.token_ids
    assert following.chooser.tokens == list(begun[len(plan.prompt.token_ids) :])
    report = following.report("", FinishReason.CANCELLED)
    assert (report["text"], report["attempts"]) == (wrong, 2)


def test_a_placeholder_that_the_source_does_not_have_is_never_chosen(
    tokenizer: TextTokenizer, tmp_path: Path
) -> None:
    ready = parts(tokenizer, tmp_path, glm_translation="outline")
    answer = translation_planner(ready)(request(), ready).chooser
    form = NanoTranslateFormat(tokenizer)
    while answer.next_token(torch.zeros(8192)) != form.answer:
        pass
    logits = torch.zeros(8192)
    logits[form.placeholders.encode("\ue010")[0]] = 9.0
    logits[form.placeholders.encode("\ue001")[0]] = 1.0
    assert answer.next_token(logits) == form.placeholders.encode("\ue001")[0]


def test_a_model_that_never_stops_is_led_on(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    ready = parts(tokenizer, tmp_path, glm_translation="outline")
    plan = translation_planner(ready)(request(), ready)
    form = NanoTranslateFormat(tokenizer)
    logits = torch.zeros(8192)
    logits[tokenizer.encode(" x")[0]] = 1.0
    tokens = [plan.chooser.next_token(logits)]
    while tokens[-1] != form.end:
        tokens.append(plan.chooser.next_token(logits))
        assert len(tokens) < 1000


def test_decoding_gives_back_what_was_encoded(tokenizer: TextTokenizer) -> None:
    form = NanoTranslateFormat(tokenizer)
    for text in (
        "\n    return \ue001",
        "\nx = -\ue001 + (\ue002)",
        "\nx\ue000y",
        "\nfunc New\ue003()",
        '\n"\ue001"',
    ):
        assert form.placeholders.decode(form.placeholders.encode(text)) == text


@pytest.mark.parametrize(
    ("code", "language", "open_"),
    [("def f(a):\n    return a", "python", True), ("def f(a: int):\n    return a", "python", False),
     ("def f(self):\n    pass", "python", False), ("function f(a) { return a; }", "javascript", True),
     ("/** @param {string} a */\nfunction f(a) { return a; }", "javascript", False),
     ("/** @param {number} a */\nfunction f(a) { return a / 2.5; }", "javascript", True),
     ("int f(int a) { return a; }", "cpp", False)],
)  # fmt: skip
def test_source_without_types_is_shown_whole_first(
    tokenizer: TextTokenizer, code: str, language: str, open_: bool
) -> None:
    assert untyped(NanoTranslateFormat(tokenizer).outline(code, language), language) is open_


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [("python", "python", BadRequest), ("klingon", "java", BadRequest),
     ("python", "", BadRequest), ("python", "kotlin", Unsupported), ("rust", "java", Unsupported)],
)  # fmt: skip
def test_unknown_languages_are_refused(
    tokenizer: TextTokenizer, tmp_path: Path, source: str, target: str, error: type[Exception]
) -> None:
    ready = parts(tokenizer, tmp_path, glm_translation="outline")
    with pytest.raises(error):
        translation_planner(ready)(request(source=source, target=target), ready)


def test_a_unit_that_does_not_fit_is_refused(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    ready = parts(tokenizer, tmp_path, glm_translation="outline")
    with pytest.raises(PromptTooLong, match="do not fit"):
        translation_planner(ready)(request(CODE + "    x = 1\n" * 400), ready)


def test_placeholders_in_the_source_are_refused(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    ready = parts(tokenizer, tmp_path, glm_translation="outline")
    with pytest.raises(BadRequest, match="private-use"):
        translation_planner(ready)(request("x = '\ue001'\n"), ready)


def test_a_model_that_cannot_translate_says_so(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    ready = parts(tokenizer, tmp_path)
    assert translation_form(ready) is None
    with pytest.raises(Unsupported, match="cannot translate"):
        translation_planner(ready)(request(), ready)


def test_a_chat_model_is_asked_in_words(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"glm_chat_form": "glm4"}))
    ready = parts(tokenizer, tmp_path, context=2048)
    if translation_form(ready) is not TranslationForm.QUESTION:
        pytest.skip("this build has another name for the form")
    plan = translation_planner(ready)(request(names=("double = twice",)), ready)
    shown = tokenizer.decode(plan.prompt.token_ids)
    assert "translate the above code snippet into Java" in shown
    assert "double = twice" in shown


def test_codegeex_continues_a_listing(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    ready = parts(tokenizer, tmp_path, model_type="codegeex")
    plan = translation_planner(ready)(request(), ready)
    shown = tokenizer.decode(plan.prompt.token_ids)
    assert shown == f"code translation\nPython:\n{CODE}Java:\n"
    assert listing_prompt("x\n", "cpp", "javascript") == "code translation\nC++:\nx\nJavaScript:\n"
    assert "C++" in question("x", "cpp", ())


def fed(text: FencedText | ListingText, pieces: list[str]) -> str:
    shown = "".join(text.add(piece) for piece in pieces if not text.ended)
    return shown + ("" if text.ended else text.stop_by_model())


def test_fences_of_an_answer_are_taken_off() -> None:
    assert (
        fed(FencedText(), ["\n```ja", "va\nint x;\n", "int y;\n```\nThis is", " it."])
        == "int x;\nint y;\n"
    )
    assert fed(FencedText(), ["int x;\n", "int y;"]) == "int x;\nint y;"


def test_a_listing_ends_after_its_first_unit() -> None:
    java = ListingText("java")
    assert (
        fed(java, ["int f() {\n  return 1;\n}\n", "int g() {\n"]) == "int f() {\n  return 1;\n}\n"
    )
    python = ListingText("python")
    assert fed(python, ["def f():\n    return 1\n", "\ndef g():\n"]) == "def f():\n    return 1\n\n"
    assert fed(ListingText("java"), ["int x;\nPython:\nx"]) == "int x;\n"
