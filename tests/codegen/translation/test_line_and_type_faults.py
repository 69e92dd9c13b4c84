"""What speaks against a line of a translation, and what does not."""

from __future__ import annotations

import pytest

from glm_codegen.translation.line_faults import faults, unclosed
from glm_codegen.translation.type_faults import TypeLedger
from glm_codegen.translation.written_types import agree, read_type

A, B, C = "\ue000", "\ue001", "\ue002"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (f"    return {A} * 3", f"\treturn {A} + 3"),
        (f"    return {A} - ({A} + 9)", f"\treturn {A} - 9"),
        (f"    return {A} + {B}", f"\treturn {A}"),
        (f"    {A} = 12", f"\t{A} := 21"),
        (f"    return {A}", f"\tx := {A}"),
        (f"    {A} = f({B})", f"\t{A} := f({B}"),
        (f'    {A} = "{B}"', f'\t{A} := "{B}'),
        (f"    {A}, {B} = {B}, {A}", f"\t{A}, {B} = {A}, {A}"),
    ],
)
def test_a_line_that_says_something_else_has_faults(source: str, said: str) -> None:
    assert faults(source, said)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (f"    {A} = {A} + 1", f"\t{A}++"),
        (f"    if {A} and {B} % 2 == 1:", f"\tif {A} && {B} % 2 == 1 {{"),
        (f"    for {A} in range(1, {B} + 1):", f"\tfor {A} := 1; {A} <= {B}; {A}++ {{"),
        (f'    {A} = "{B}" in {C}', f'\t{A} := strings.Contains({C}, "{B}")'),
    ],
)
def test_the_same_in_other_words_has_none(source: str, said: str) -> None:
    assert faults(source, said) == 0


def test_a_comment_stays_a_comment() -> None:
    assert faults(f"    # {A}", f"\treturn {A}", comments=A)
    assert faults(f"    # {A}", f"\t// {A}", comments=A) == 0


def test_blocks_that_stay_open_are_counted() -> None:
    assert unclosed('func f() {\n\tx := "{"\n}') == 0
    assert unclosed("func f() {\n\tif true {\n}") == 1


JAVA_HEAD = f"public static int {A}(List<Integer> {B}, String {C}) {{"
GO_HEAD = f"func {A}({B} []int, {C} string) int {{"
PYTHON_HEAD = f"def {A}({B}: list[int], {C}: str) -> int:"


@pytest.mark.parametrize(
    ("target", "line", "wrong"),
    [
        ("java", f"    return {B}.get(0);", False),
        ("java", f"    return {B}.charAt(0);", True),
        ("java", f"    return {C}.length();", False),
        ("java", f"    return {C};", True),
        ("java", f"    if ({C} == \"x\") {{", True),
        ("java", f"    if ({C}.equals(\"x\")) {{", False),
        ("java", f"    for (char \ue005 : {B}.toCharArray()) {{", True),
        ("java", f"    for (int \ue005 : {B}) {{", False),
        ("java", "    \ue006 = 1;", True),
        ("go", f"\treturn {B}[len({B})-1]", False),
        ("go", f"\treturn len({C}) + {C}", True),
        ("go", f"\t{B} = append({B}, {C})", True),
        ("go", f"\t{B} = append({B}, 3)", False),
        ("go", f"\tif slices.Contains({C}, 3) {{", True),
        ("go", f"\tfor _, \ue005 := range {B} {{", False),
        ("go", f"\tif _, ok := {B}[0]; ok {{", True),
        ("go", f"\tif {C}[0] == \"x\" {{", True),
        ("go", f"\tif {C}[0] == 'x' {{", False),
        ("go", f"\t\t{B}: {C},", True),
        ("go", f'\treturn len(fmt.Sprintf("%d", {C}))', True),
        ("go", f'\treturn len(fmt.Sprintf("%s %d", {C}))', True),
        ("go", f'\treturn len(fmt.Sprintf("%s %d", {C}, {B}[0]))', False),
    ],
)  # fmt: skip
def test_expressions_are_read_with_the_types_that_were_declared(
    target: str, line: str, wrong: bool
) -> None:
    ledger = TypeLedger("python", target, {})
    assert ledger.faults(PYTHON_HEAD, GO_HEAD if target == "go" else JAVA_HEAD) == 0
    assert bool(ledger.faults("", line)) is wrong


def test_gos_constructors_give_what_they_make() -> None:
    ledger = TypeLedger("javascript", "go", {})
    assert ledger.faults("", f"func New{A}({B} int) *{A} {{") == 0
    assert ledger.faults("", f"\t\t{C}: {B},") == 0
    assert ledger.faults("", f"func New{A}({B} int) bool {{")


def test_heads_keep_the_types_of_the_source() -> None:
    ledger = TypeLedger("python", "go", {})
    assert ledger.faults(PYTHON_HEAD, GO_HEAD.replace("[]int", "[]string"))
    assert ledger.faults(PYTHON_HEAD, GO_HEAD.replace(") int", ") string"))


@pytest.mark.parametrize(
    ("text", "language", "other", "target"),
    [
        ("dict[str, list[int]]", "python", "Map<String, List<Integer>>", "java"),
        ("Map<string, number>", "typescript", "map[string]float64", "go"),
        ("set[int]", "python", "map[int]bool", "go"),
        ("std::vector<std::string>", "cpp", "[]string", "go"),
        ("Widget", "java", "anything", "go"),
    ],
)
def test_types_agree_across_languages(text: str, language: str, other: str, target: str) -> None:
    assert agree(read_type(text, language), read_type(other, target))


def test_types_that_differ_do_not() -> None:
    assert not agree(read_type("list[int]", "python"), read_type("[]string", "go"))
    assert not agree(read_type("int", "python"), read_type("boolean", "java"))
