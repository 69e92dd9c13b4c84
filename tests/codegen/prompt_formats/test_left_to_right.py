"""The tag line, the prefix, and how a format is chosen."""

from __future__ import annotations

import pytest

from glm_codegen.prompt_formats.choose import choose_format
from glm_codegen.prompt_formats.language_names import language_name, language_tag
from glm_codegen.prompt_formats.left_to_right import LeftToRightFormat
from glm_codegen.prompt_formats.prompt_format import decide_mode
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.completion import CodeContext, CompletionMode

from .conftest import byte_tokenizer


def context(prefix: str, suffix: str = "", language: str = "python") -> CodeContext:
    return CodeContext(path="a.py", language=language, prefix=prefix, suffix=suffix)


def test_tag_line_then_prefix() -> None:
    plain = TextTokenizer(byte_tokenizer(("</s>",)))
    prompt = LeftToRightFormat(plain).render(
        context("x = 1\n", "never seen"), mode=CompletionMode.BLOCK, token_budget=200
    )
    assert plain.decode(prompt.token_ids) == "# language: Python\nx = 1\n"
    assert prompt.stop_ids == {plain.control_id("</s>")}


def test_the_end_of_a_long_prefix_is_kept() -> None:
    plain = TextTokenizer(byte_tokenizer(()))
    prompt = LeftToRightFormat(plain).render(
        context("x = 1\n" * 500 + "y ="), mode=CompletionMode.LINE, token_budget=120
    )
    assert len(prompt.token_ids) <= 120
    assert plain.decode(prompt.token_ids).endswith("x = 1\ny =")


@pytest.mark.parametrize(
    ("language", "tag"),
    [
        ("python", "# language: Python"),
        ("cpp", "// language: C++"),
        ("javascriptreact", "// language: JavaScript"),
        ("shellscript", "# language: Shell"),
        ("html", "<!--language: HTML-->"),
        ("objective-c", "// language: Objective-C"),
        ("klingon", ""),
    ],
)
def test_tags(language: str, tag: str) -> None:
    assert language_tag(language) == tag


def test_names() -> None:
    assert language_name("typescriptreact") == "TypeScript"
    assert language_name("nothing known") == ""


def test_the_format_follows_the_tokenizer(tokenizer: TextTokenizer) -> None:
    assert choose_format(tokenizer).name == "codegeex4"
    assert choose_format(TextTokenizer(byte_tokenizer(()))).name == "left-to-right"


@pytest.mark.parametrize(
    ("prefix", "suffix", "mode"),
    [
        ("def a():\n    ", "", CompletionMode.BLOCK),
        ("int a() {\n", "}\n", CompletionMode.LINE),
        ("int a() {\n    ", "\n}\n", CompletionMode.BLOCK),
        ("x = ", "", CompletionMode.LINE),
        ("x = 1\n", "", CompletionMode.LINE),
        ("foo(", ")\n", CompletionMode.LINE),
    ],
)
def test_auto_asks_for_a_block_only_where_a_body_begins(
    prefix: str, suffix: str, mode: CompletionMode
) -> None:
    assert decide_mode(context(prefix, suffix), CompletionMode.AUTO) is mode
