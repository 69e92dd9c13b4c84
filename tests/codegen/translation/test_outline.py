"""Outlines: one layout for any style, placeholders for what is copied, and the way back."""

from __future__ import annotations

import pytest

from glm_codegen.translation.outline import EntryKind, outline
from glm_codegen.translation.placeholders import MARK, mark, needs_space
from glm_codegen.translation.restore import Restorer, converted
from glm_codegen.translation.standard_names import add_standard, drop_standard

NUMBERS = range(31)


def shown(text: str) -> str:
    return "".join(f"§{ord(c) - MARK}" if MARK <= ord(c) < MARK + 256 else c for c in text)


def lines(code: str, language: str) -> list[str]:
    return [shown(line) for line in outline(code, language, NUMBERS).lines]


def test_names_texts_and_long_numbers_become_placeholders() -> None:
    code = 'def price(items: list[int]) -> str:\n    total = len(items) + 1000\n    return f"{total} EUR"\n'
    assert lines(code, "python") == [
        "def §0(§1: list[int]) -> str:",
        "    §2 = len(§1) + 0§3",
        '    return f"{§2}§4"',
    ]
    entries = outline(code, "python", NUMBERS).entries
    assert [entries[n].text for n in range(5)] == ["price", "items", "total", "1000", " EUR"]
    assert entries[3].kind is EntryKind.NUMBER


@pytest.mark.parametrize(
    "code",
    [
        "int f(int n) {\n  if (n>0) { return n-1; }\n  return 0;\n}",
        "int f( int n )\n{\n    if (n > 0)\n    {\n        return n - 1;\n    }\n    return 0;\n}",
        "int f(int n){if(n>0){return n-1;}return 0;}",
    ],
)
def test_style_of_the_author_does_not_matter(code: str) -> None:
    assert lines(code, "cpp") == [
        "int §0(int §1) {",
        "    if (§1 > 0) {",
        "        return §1 - 1",
        "    }",
        "    return 0",
        "}",
    ]


def test_docstring_stands_before_its_definition() -> None:
    found = lines('def f():\n    """What it does.\n\n    More."""\n    return 1\n', "python")
    assert found == ['"""§1"""', "def §0():", "    return 1"]


def test_comment_at_the_end_of_a_line_goes_before_it() -> None:
    assert lines("x = 1  # note\n", "python") == ["# §1", "§0 = 1"]


def test_types_of_jsdoc_are_written_at_the_parameters() -> None:
    code = "/**\n * Doc.\n * @param {number[]} xs\n * @returns {number}\n */\nfunction f(xs) {\n  return xs.length;\n}"
    assert lines(code, "javascript") == [
        "/** §0 */",
        "function §1(§2: number[]): number {",
        "  return §2.length",
        "}",
    ]


def test_a_function_whose_result_is_an_array_has_lines() -> None:
    found = outline(
        "/** @returns {number[]} */\nfunction f() {\n  return [];\n}", "javascript", [1]
    )
    assert len(found.lines) == 3


def test_a_word_of_the_library_that_the_code_declares_is_a_name() -> None:
    assert lines("int f(int n) {\n  int count = 0;\n  count += n;\n  return count;\n}", "cpp")[
        1:
    ] == [
        "    int §2 = 0",
        "    §2 += §1",
        "    return §2",
        "}",
    ]
    assert lines("def f(v):\n    return v.count(1)\n", "python")[1] == "    return §1.count(1)"


def test_source_that_does_not_parse_has_an_outline() -> None:
    assert lines("def f(:\n  ) return ]]", "python")
    assert lines("class { {{ /* never closed", "java")
    assert lines("'unclosed", "javascript")


def test_what_no_placeholder_is_left_for_stays() -> None:
    found = outline("a = b\n", "python", [0])
    assert shown(found.text) == "§0 = b"


@pytest.mark.parametrize(
    ("before", "space"),
    [("return", True), ("f(", False), ("x =", True), ("x = -", False), ("a -", True), ("", False),
     ("    ", False), ("x.", False), ('"', False), ("a,", True), ("const T&", True), ("0", False)],
)  # fmt: skip
def test_space_before_a_name(before: str, space: bool) -> None:
    assert needs_space(before) is space


@pytest.mark.parametrize(
    ("name", "target", "found"),
    [("running_total", "java", "runningTotal"), ("runningTotal", "python", "running_total"),
     ("HTTPServer", "python", "HTTPServer"), ("MAX_SIZE", "go", "MAX_SIZE"), ("_own", "java", "_own"),
     ("parseURL", "cpp", "parse_url"), ("x", "go", "x"), ("is", "python", "is_"),
     ("default", "java", "default_")],
)  # fmt: skip
def test_names_take_the_targets_convention(name: str, target: str, found: str) -> None:
    assert converted(name, target) == found


def restorer(code: str, source: str, target: str, **names: str) -> Restorer:
    return Restorer(
        outline=outline(code, source, NUMBERS), source=source, target=target, names=names
    )


def test_restoring_puts_everything_back() -> None:
    made = restorer(
        "def my_sum(a):\n    # first\n    # and second\n    return a + 1000\n", "python", "java"
    )
    assert made.line(f"static int {mark(0)}(int {mark(1)}) {{") == "static int mySum(int a) {"
    assert made.line(f"    return {mark(1)} + 0{mark(4)};") == "    return a + 1000;"
    assert made.chosen == {"my_sum": "mySum", "a": "a"}


def test_a_name_that_was_chosen_before_is_kept() -> None:
    made = restorer("def f(x):\n    return helper(x)\n", "python", "java", helper="assist")
    assert made.line(f"return {mark(2)}({mark(1)});") == "return assist(x);"


def test_comment_of_several_lines_is_laid_out_in_the_targets_signs() -> None:
    made = restorer('def f():\n    """One.\n\n    Two."""\n', "python", "java")
    assert made.line(f"    /** {mark(1)} */") == "    /** One.\n     *\n     * Two. */"
    made = restorer("/** One.\n * Two. */\nint f() {}", "java", "go")
    assert made.line(f"// {mark(0)}") == "// One.\n// Two."


def test_comment_cannot_end_its_surroundings() -> None:
    made = restorer("# ends */ here\nx = 1\n", "python", "java")
    assert "*/" not in made.line(f"// {mark(0)}")


def test_quotes_in_texts_are_escaped() -> None:
    made = restorer("""x = 'say "hi"'\n""", "python", "java")
    assert made.line(f'String {mark(0)} = "{mark(1)}";') == 'String x = "say \\"hi\\"";'


def test_go_says_functions_by_a_capital_letter() -> None:
    made = restorer("func Total(xs []int) int {\n\treturn 0\n}", "go", "python")
    assert made.line(f"def {mark(0)}({mark(1)}):") == "def total(xs):"


def test_unknown_placeholder_leaves_nothing() -> None:
    assert restorer("x = 1\n", "python", "java").line(f"int {mark(9)};") == "int ;"


def test_standard_namespace_is_dropped_and_added() -> None:
    text = "std::vector<std::string> f(const std::unordered_map<int, int>& m) { return std::max(1, 2); }"
    assert add_standard(drop_standard(text, "cpp"), "cpp") == text
    assert drop_standard(text, "java") == text
