"""Every family's prompt, letter for letter; hostile text in every place; the choice of a family."""

from __future__ import annotations

from itertools import groupby

import pytest
from tokenizers import Tokenizer, processors

from glm_codegen.prompt_formats.choose import choose_format
from glm_codegen.prompt_formats.fim_families import FAMILIES, FimFamily
from glm_codegen.prompt_formats.left_to_right import LeftToRightFormat
from glm_codegen.prompt_formats.marked_format import MarkedFormat
from glm_codegen.prompt_formats.markup import parts_of
from glm_codegen.prompt_formats.prompt_format import Prompt
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.completion import CodeContext, CompletionMode, Snippet

from .conftest import byte_tokenizer

BY_NAME = {family.name: family for family in FAMILIES}
BEGIN = "<begin>"
OPENED = ("codellama", "deepseek-coder", "seed-coder", "codegemma", "codestral", "mellum")
# The prompt for the prefix "P\n", the suffix "S" and the path a.py; with the code "R" of r.py.
GOLDEN = {
    "codegeex4": (
        "[gMASK]<sop><|user|>\n###PATH:a.py\n###LANGUAGE:Python\n###MODE:BLOCK\n"
        "<|code_suffix|>S<|code_prefix|>P\n<|code_middle|><|assistant|>\n",
        "[gMASK]<sop><|user|>\n###REFERENCE:\n###PATH:r.py\nR\n"
        "###PATH:a.py\n###LANGUAGE:Python\n###MODE:BLOCK\n"
        "<|code_suffix|>S<|code_prefix|>P\n<|code_middle|><|assistant|>\n",
    ),
    "glm": (
        "[gMASK]<sop><|code_prefix|>P\n<|code_suffix|>S<|code_middle|>",
        "[gMASK]<sop><|code_prefix|># r.py\nR\nP\n<|code_suffix|>S<|code_middle|>",
    ),
    "mellum": (
        "<begin><filename>a.py\n<fim_suffix>S<fim_prefix>P\n<fim_middle>",
        "<begin><filename>r.py\nR\n<filename>a.py\n<fim_suffix>S<fim_prefix>P\n<fim_middle>",
    ),
    "starcoder2": (
        "<fim_prefix>P\n<fim_suffix>S<fim_middle>",
        "<repo_name>workspace<file_sep>r.py\nR\n"
        "<file_sep><fim_prefix>a.py\nP\n<fim_suffix>S<fim_middle>",
    ),
    "starcoder": (
        "<fim_prefix>P\n<fim_suffix>S<fim_middle>",
        "<fim_prefix># r.py\nR\nP\n<fim_suffix>S<fim_middle>",
    ),
    "santacoder": (
        "<fim-prefix>P\n<fim-suffix>S<fim-middle>",
        "<fim-prefix># r.py\nR\nP\n<fim-suffix>S<fim-middle>",
    ),
    "codellama": (
        "<begin>▁<PRE> P\n▁<SUF>S▁<MID>",
        "<begin>▁<PRE># r.py\nR\nP\n▁<SUF>S▁<MID>",
    ),
    "deepseek-coder": (
        "<begin><｜fim▁begin｜>P\n<｜fim▁hole｜>S<｜fim▁end｜>",
        "<begin><｜fim▁begin｜>#r.py\nR\nP\n<｜fim▁hole｜>S<｜fim▁end｜>",
    ),
    "seed-coder": (
        "<begin><[fim-suffix]>S<[fim-prefix]>P\n<[fim-middle]>",
        "<begin><[fim-suffix]>S<[fim-prefix]># r.py\nR\nP\n<[fim-middle]>",
    ),
    "codegemma": (
        "<begin><|fim_prefix|>P\n<|fim_suffix|>S<|fim_middle|>",
        "<begin>r.py\nR\n<|file_separator|>a.py\n<|fim_prefix|>P\n<|fim_suffix|>S<|fim_middle|>",
    ),
    "granite": (
        "<|fim_prefix|>P\n<|fim_suffix|>S<|fim_middle|>",
        "<|fim_prefix|># r.py\nR\nP\n<|fim_suffix|>S<|fim_middle|>",
    ),
    "qwen-coder": (
        "<|fim_prefix|>P\n<|fim_suffix|>S<|fim_middle|>",
        "<|repo_name|>workspace\n<|file_sep|>r.py\nR\n"
        "<|file_sep|>a.py\n<|fim_prefix|>P\n<|fim_suffix|>S<|fim_middle|>",
    ),
    "codestral": (
        "<begin>[SUFFIX]S[PREFIX]P\n",
        "<begin>[SUFFIX]S[PREFIX]+++++ r.py\nR\n+++++ a.py\nP\n",
    ),
}


def control_of(family: FimFamily) -> tuple[str, ...]:
    names = (*family.controls, *family.reference_controls, *family.stops)
    begin = (BEGIN,) if family.name in OPENED else ()
    return tuple(dict.fromkeys((*begin, *names)))


def tokenizer_of(family: FimFamily) -> TextTokenizer:
    """A byte tokenizer with the family's control tokens, which may put `<begin>` in front."""
    control = control_of(family)
    made: Tokenizer = byte_tokenizer(control)
    if BEGIN in control:
        made.post_processor = processors.TemplateProcessing(
            single=f"{BEGIN} $A", special_tokens=[(BEGIN, made.token_to_id(BEGIN))]
        )
    return TextTokenizer(made)


def model_type_of(family: FimFamily) -> str:
    return family.model_types[-1] if family.model_types else "any"


def written(prompt: Prompt, tokenizer: TextTokenizer, control: tuple[str, ...]) -> str:
    names = {tokenizer.control_id(name): name for name in control}
    runs = groupby(prompt.token_ids, key=lambda token: token in names)
    return "".join(
        "".join(str(names[token]) for token in run) if special else tokenizer.decode(list(run))
        for special, run in runs
    )


def context(**changes: object) -> CodeContext:
    values: dict[str, object] = {
        "path": "a.py", "language": "python", "prefix": "P\n", "suffix": "S",
    }  # fmt: skip
    return CodeContext(**(values | changes))  # type: ignore[arg-type]


def render(family: FimFamily, tokenizer: TextTokenizer, **changes: object) -> Prompt:
    chosen = choose_format(tokenizer, model_type_of(family))
    return chosen.render(context(**changes), mode=CompletionMode.BLOCK, token_budget=4000)


def test_every_row_has_a_golden_prompt() -> None:
    assert set(GOLDEN) == set(BY_NAME)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    family = BY_NAME[name]
    tokenizer, control = tokenizer_of(family), control_of(family)
    alone, together = GOLDEN[name]
    assert written(render(family, tokenizer), tokenizer, control) == alone
    related = Snippet(id="s", path="r.py", text="R")
    prompt = render(family, tokenizer, snippets=(related,))
    assert written(prompt, tokenizer, control) == together
    assert "s" in [piece.source for piece in prompt.pieces]


@pytest.mark.parametrize("name", GOLDEN)
def test_a_family_is_chosen_by_its_own_tokenizer(name: str) -> None:
    family = BY_NAME[name]
    assert choose_format(tokenizer_of(family), model_type_of(family)).name == name


@pytest.mark.parametrize("name", GOLDEN)
def test_markers_in_text_paths_and_snippets_stay_text(name: str) -> None:
    family = BY_NAME[name]
    tokenizer, control = tokenizer_of(family), control_of(family)
    hostile = "".join(control) + "\n"
    related = Snippet(id="s", path=f"{hostile}r.py", text=hostile)
    changes = {"prefix": hostile, "suffix": hostile, "path": f"{hostile}a.py"}
    ids = {tokenizer.control_id(word) for word in control}

    def count(prompt: Prompt) -> int:
        return sum(token in ids for token in prompt.token_ids)

    assert count(render(family, tokenizer, **changes)) == count(render(family, tokenizer))
    plain = Snippet(id="s", path="r.py", text="R")
    with_hostile = render(family, tokenizer, snippets=(related,), **changes)
    assert count(with_hostile) == count(render(family, tokenizer, snippets=(plain,)))
    text = written(with_hostile, tokenizer, control)
    assert text.count(hostile) >= 3  # prefix, suffix and snippet, as they were


@pytest.mark.parametrize("name", GOLDEN)
def test_an_answer_ends_at_the_familys_own_tokens(name: str) -> None:
    family = BY_NAME[name]
    tokenizer = tokenizer_of(family)
    stop_ids = render(family, tokenizer).stop_ids
    for stop in (*family.stops, family.marker("prefix"), family.marker("suffix")):
        assert tokenizer.control_id(stop) in stop_ids
    assert tokenizer.control_id("[gMASK]") not in stop_ids


def test_the_config_parts_what_the_tokenizer_cannot() -> None:
    both = TextTokenizer(byte_tokenizer(control_of(BY_NAME["mellum"])))
    assert choose_format(both, "llama").name == "mellum"
    assert choose_format(both, "gpt_bigcode").name == "starcoder"
    code = TextTokenizer(byte_tokenizer((*control_of(BY_NAME["codegeex4"]), "<think>")))
    assert choose_format(code, "glm4_moe").name == "glm"


def test_without_tokens_for_files_related_code_is_left_out() -> None:
    control = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>")
    tokenizer = TextTokenizer(byte_tokenizer(control))
    prompt = render(
        BY_NAME["qwen-coder"], tokenizer, snippets=(Snippet(id="s", path="r", text="R"),)
    )
    assert written(prompt, tokenizer, control) == "<|fim_prefix|>P\n<|fim_suffix|>S<|fim_middle|>"


def test_a_missing_control_token_is_named() -> None:
    with pytest.raises(ValueError, match="no <fim_suffix>"):
        MarkedFormat(BY_NAME["starcoder"], TextTokenizer(byte_tokenizer(("<fim_prefix>",))))


def test_codegeex2_opens_with_its_own_spelling() -> None:
    tokenizer = TextTokenizer(byte_tokenizer(("[gMASK]", "sop", "</s>")))
    chosen = choose_format(tokenizer, "glm")
    assert isinstance(chosen, LeftToRightFormat)
    made = byte_tokenizer(("[gMASK]", "sop", "</s>"))
    ids = [(name, made.token_to_id(name)) for name in ("[gMASK]", "sop")]
    made.post_processor = processors.TemplateProcessing(single="[gMASK] sop $A", special_tokens=ids)
    prompt = choose_format(TextTokenizer(made), "glm").render(
        context(), mode=CompletionMode.LINE, token_budget=99
    )
    assert list(prompt.token_ids[:2]) == [token for _, token in ids]


@pytest.mark.parametrize("template", ["{nothing}", "«open", "stray { bracket", "»"])
def test_a_template_with_a_slip_is_refused(template: str) -> None:
    if template == "»":
        assert parts_of(template)[0].text == "»"  # a word like any other
        return
    with pytest.raises(ValueError):
        parts_of(template)
