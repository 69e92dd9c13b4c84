"""Where documentation and comments go in each language, and what is no comment."""

from __future__ import annotations

import pytest

from glm_context.syntax import Syntax
from glm_lsp.code_tasks import Source
from glm_lsp.comment_hole import comment_hole, documentation_hole, enclosing
from glm_lsp.comment_writing import reads_like_words
from glm_protocol.errors import BadRequest

PYTHON = """class Cart:
    @cached
    async def total(
        self, rate: dict[str, int] = {":": 1},  # a colon:
    ) -> int:
        return 1


def named():
    '''Documented.'''


def short(): return 1
"""


def hole_at(text: str, language: str, line: int):  # type: ignore[no-untyped-def]
    with Syntax() as syntax:
        unit = enclosing(syntax.units(text, language), line)
    return documentation_hole(text.split("\n"), language, unit)


def test_a_docstring_goes_below_the_head_of_the_innermost_definition() -> None:
    hole = hole_at(PYTHON, "python", 5)
    assert hole.line == 5
    assert hole.prefix.endswith(') -> int:\n        """')
    assert hole.suffix.startswith('"""\n        return 1\n')
    assert hole.filled(' Sum \n "it" up.""') == '        """Sum "it" up."""'
    assert hole.filled(" \x07 ") == ""
    assert hole.filled("a \\d b") == '        """a \\\\d b"""'
    assert hole.lead == "Total the"


@pytest.mark.parametrize(
    ("line", "words"),
    [(9, "documentation already"), (12, "line of its head"), (7, "no definition")],
)
def test_places_without_a_hole_say_why(line: int, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        hole_at(PYTHON, "python", line)


@pytest.mark.parametrize(
    ("language", "text", "line", "expected"),
    [
        ("javascript", "function readAll(a) {\n  return a;\n}\n", 1, "/** Words here. */"),
        (
            "java",
            "class A {\n    int b() {\n        return 1;\n    }\n}\n",
            2,
            "    /** Words here. */",
        ),
        ("rust", "fn read(a: u8) -> u8 {\n    a\n}\n", 1, "/// Words here."),
        ("go", "func Read(a int) int {\n\treturn a\n}\n", 1, "// Read Words here."),
        ("ruby", "def read(a)\n  a\nend\n", 1, "# Words here."),
    ],
)
def test_documentation_in_the_style_of_the_language(
    language: str, text: str, line: int, expected: str
) -> None:
    hole = hole_at(text, language, line)
    assert hole.filled(" Words here. *") == expected
    lines = text.split("\n")
    assert (hole.prefix + hole.suffix).replace(" ", "") == (
        "\n".join([*lines[: hole.line], hole.head + hole.tail, *lines[hole.line :]])
    ).replace(" ", "")


def test_a_documented_function_is_left_alone() -> None:
    with pytest.raises(BadRequest, match="already"):
        hole_at("// Sums.\nfunction sum(a) {\n  return a;\n}\n", "javascript", 2)


def test_a_comment_goes_above_the_line_in_its_indentation() -> None:
    hole = comment_hole(PYTHON.split("\n"), "python", 5)
    assert hole.filled("Say one.") == "        # Say one."
    assert hole.prefix.endswith("-> int:\n        #")
    with pytest.raises(BadRequest, match="not known"):
        comment_hole(["x"], "klingon", 0)
    with pytest.raises(BadRequest, match="no code"):
        comment_hole([""], "python", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sum the prices of all items.", True),
        ("Return `None` if nothing is left, else the rest.", True),
        ("return total + 1", False),
        ("value = compute(a, b)[0]", False),
        ("the name of the name of the name of it", False),
        ("word", False),
        ("", False),
        ("plain words of the file", False),
    ],
)
def test_what_reads_like_words(text: str, expected: bool) -> None:
    source = Source(path="a", language="python", lines=("x = 1", "plain words of the  file here"))
    assert reads_like_words(text, source) is expected
