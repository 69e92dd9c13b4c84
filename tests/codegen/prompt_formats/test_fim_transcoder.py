"""Prompts marked up for one family are read back; what is no such prompt is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_codegen.prompt_formats.fim_families import FAMILIES
from glm_codegen.prompt_formats.fim_transcoder import read_marked_up
from glm_codegen.prompt_formats.markup import spelled
from glm_protocol.completion import CodeContext, CompletionMode, Snippet

from .test_fim_families import BEGIN, control_of, render, tokenizer_of, written

PREFIX, SUFFIX = "import r\n\ndef f(x):\n    return ", "\n\nprint(f(1))\n"
CODE = "def g():\n    return 1\n"
# Families whose plain-text references cannot be told from the code at the cursor.
INSIDE = ("glm", "starcoder", "santacoder", "codellama", "deepseek-coder", "seed-coder", "granite")


def as_text(name: str, snippets: tuple[Snippet, ...] = ()) -> str:
    """The prompt that a client of that family would send."""
    family = next(row for row in FAMILIES if row.name == name)
    tokenizer, control = tokenizer_of(family), control_of(family)
    prompt = render(family, tokenizer, prefix=PREFIX, suffix=SUFFIX, snippets=snippets)
    text = written(prompt, tokenizer, control).replace(BEGIN, "<s>")
    for word in control:
        text = text.replace(word, (" " if word.startswith("▁") else "") + spelled(word))
    return text.lstrip(" ")


@pytest.mark.parametrize("name", [family.name for family in FAMILIES])
def test_a_familys_prompt_is_read_back(name: str) -> None:
    found = read_marked_up(as_text(name))
    assert found is not None
    assert (found.context.prefix, found.context.suffix) == (PREFIX, SUFFIX)
    assert found.context.snippets == ()


@pytest.mark.parametrize("name", [family.name for family in FAMILIES])
def test_related_files_are_read_back(name: str) -> None:
    related = tuple(Snippet(id=path, path=path, text=CODE) for path in ("r.py", "s/t.py"))
    found = read_marked_up(as_text(name, related))
    assert found is not None
    assert found.context.suffix == SUFFIX
    if name in INSIDE:
        assert found.context.prefix.endswith(CODE + PREFIX)
        return
    assert found.context.prefix == PREFIX
    assert found.context.path == "a.py"
    assert found.context.language == "python"
    assert [(s.path, s.text.rstrip("\n")) for s in found.context.snippets] == [
        (path, CODE.rstrip("\n")) for path in ("r.py", "s/t.py")
    ]


MARKERS = sorted(
    {
        spelled(control)
        for family in FAMILIES
        for control in (family.marker("prefix"), family.marker("suffix"), family.middle)
        if control is not None
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(MARKERS), st.text(max_size=5)), max_size=9))
def test_no_text_makes_it_stumble_and_nothing_is_made_up(parts: list[str]) -> None:
    text = "".join(parts)
    found = read_marked_up(text)
    if found is not None:
        assert found.context.suffix in text
        assert all(snippet.text in text for snippet in found.context.snippets)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([row.name for row in FAMILIES]), st.text(), st.text())
def test_any_two_texts_survive_between_markers(name: str, prefix: str, suffix: str) -> None:
    row = next(row for row in FAMILIES if row.name == name)
    if row.prefix_lead or row.middle is None or "mellum" in name:  # their spaces and paths: above
        return
    order = [row.marker("prefix"), prefix, row.marker("suffix"), suffix, row.middle]
    found = read_marked_up("".join(str(part) for part in order))
    assert found is not None
    assert (found.context.prefix, found.context.suffix) == (prefix, suffix)


@pytest.mark.parametrize("source", [family.name for family in FAMILIES])
@pytest.mark.parametrize("target", ["codegeex4", "qwen-coder", "codellama"])
def test_transcoded(source: str, target: str) -> None:
    found = read_marked_up(as_text(source))
    assert found is not None
    family = next(row for row in FAMILIES if row.name == target)
    tokenizer, control = tokenizer_of(family), control_of(family)
    prompt = render(family, tokenizer, prefix=found.context.prefix, suffix=found.context.suffix)
    direct = render(family, tokenizer, prefix=PREFIX, suffix=SUFFIX)
    assert written(prompt, tokenizer, control) == written(direct, tokenizer, control)


def test_the_mode_of_codegeex4_is_told() -> None:
    found = read_marked_up(as_text("codegeex4").replace("MODE:BLOCK", "MODE:LINE"))
    assert found is not None
    assert found.mode is CompletionMode.LINE


def test_the_other_order_and_a_missing_opening_are_understood() -> None:
    found = read_marked_up("<fim_suffix>S<fim_prefix>P<fim_middle>")
    assert found is not None
    assert (found.context.prefix, found.context.suffix) == ("P", "S")
    found = read_marked_up("<PRE> P <SUF>S <MID>")
    assert found is not None
    assert (found.context.prefix, found.context.suffix) == ("P", "S")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def f():\n    return 1\n",
        "print('<fim_prefix>')",
        "<fim_prefix>P<fim_suffix>S",
        "<fim_prefix>P<fim_suffix>S<fim_middle>answer",
        "<fim_prefix>P<fim_suffix>in code: <fim_suffix>S<fim_middle>",
        "<fim_middle>P<fim_suffix>S<fim_prefix>",
        "words before [SUFFIX]S[PREFIX]P",
        "[PREFIX]P[SUFFIX]S",
    ],
)
def test_what_is_no_prompt_of_a_family_is_left_alone(text: str) -> None:
    assert read_marked_up(text) is None


def test_a_large_prompt_takes_no_time_out_of_proportion() -> None:
    text = "<fim_prefix>" + "<filename>x\n" * 40_000 + "<fim_suffix>S<fim_middle>"
    found = read_marked_up(text)
    assert found is not None
    assert len(found.context.snippets) <= 64


def test_parts_are_bounded_as_on_the_wire() -> None:
    head = "".join(f"<filename>{n}\n{'x' * (70_000 - 1000 * n)}\n" for n in range(9))
    found = read_marked_up(head + "<filename>a\n<fim_suffix>S<fim_prefix>P<fim_middle>")
    assert found is not None
    assert isinstance(found.context, CodeContext)
    assert max(len(s.text) for s in found.context.snippets) == 65_536
