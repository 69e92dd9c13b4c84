"""Facts about texts, through a real parse process shared by the module."""

from collections.abc import Iterator

import pytest

from glm_context.grammar_table import GRAMMAR_OF
from glm_context.syntax import Syntax
from glm_context.syntax_facts import Unit

PYTHON = '''import os
from a.b import (c, d as e)

LIMIT = 1

# About f.
@cached
def f(a, b=2) -> int:
    """Doc."""
    x = os.path.join(a, b)
    y = 2
    return x


class K(B):
    """D."""

    def m(self, x):
        return c(x, 1)

    async def n(self):
        pass
'''
# languageId: (text, (kind, name) of its definitions, (kind, name) of members)
SAMPLES: dict[str, tuple[str, list[tuple[str, str]], list[tuple[str, str]]]] = {
    "python": (PYTHON, [("function", "f"), ("class", "K")], [("method", "m"), ("method", "n")]),
    "javascript": (
        'import {a} from "./x";\nexport const go = (x) => { return x; };\n'
        "export default class K extends B {\n  m(x) { return x; }\n}\n",
        [("function", "go"), ("class", "K")],
        [("method", "m")],
    ),
    "javascriptreact": ("function App() { return <b>hi</b>; }\n", [("function", "App")], []),
    "typescript": (
        "interface I { a: string }\nexport type T = A | B;\nenum E { X }\n"
        "export abstract class K<T> { m(): void {} }\n",
        [("interface", "I"), ("type", "T"), ("enum", "E"), ("class", "K")],
        [("field", "a"), ("method", "m")],
    ),
    "typescriptreact": ("export const A = (p: P) => <b>{p.x}</b>;\n", [("function", "A")], []),
    "java": (
        "package a;\npublic class K extends B {\n  int x = 1;\n  int m(int a) { return a; }\n}\n",
        [("class", "K")],
        [("field", "x"), ("method", "m")],
    ),
    "kotlin": (
        "package a\n\nimport b.c\n\nclass K(val x: Int) {\n    val y = 2\n\n"
        "    fun m(a: Int): Int {\n        return a\n    }\n}\n\nfun f() {\n    println(1)\n}\n",
        [("class", "K"), ("function", "f")],
        [("method", "m")],
    ),
    "c": (
        "#include <stdio.h>\n#define N 3\nstruct s { int a; };\nint *f(int a)\n{\n}\n",
        [("macro", "N"), ("struct", "s"), ("function", "f")],
        [],
    ),
    "cpp": (
        "namespace n {\ntemplate <typename T>\nclass K : B {\n  int m() { return 1; }\n};\n}\n",
        [("namespace", "n")],
        [("class", "K")],
    ),
    "csharp": (
        "using System;\npublic class K {\n  public int P { get; set; }\n  int M() { }\n}\n",
        [("class", "K")],
        [("field", "P"), ("method", "M")],
    ),
    "go": (
        'package p\nimport "fmt"\ntype T struct { x int }\nfunc (t *T) M() int { return 1 }\n',
        [("type", "T"), ("method", "M")],
        [],
    ),
    "rust": (
        "use a::b;\n#[derive(Debug)]\npub struct S { x: i32 }\nimpl S { fn m(&self) {} }\n",
        [("struct", "S"), ("impl", "S")],
        [("method", "m")],
    ),
    "ruby": (
        "class K < B\n  def m(a)\n    a + 1\n  end\nend\n",
        [("class", "K")],
        [("method", "m")],
    ),
    "php": (
        "<?php\nclass K { public function m($a) { return $a; } }\nfunction f() { }\n",
        [("class", "K"), ("function", "f")],
        [("method", "m")],
    ),
    "shellscript": ("f() {\n  echo 1\n}\n", [("function", "f")], []),
    "html": ('<div id="a">x</div>\n', [("element", "div")], []),
    "css": (".a { color: red; }\n", [("rule", ".a")], []),
    "json": ('{"a": 1, "b": [2]}\n', [("pair", "a"), ("pair", "b")], []),
}
LOOSE = ("import", "code", "comment")


@pytest.fixture(scope="module")
def syntax() -> Iterator[Syntax]:
    with Syntax(answer_s=30) as made:
        yield made
        assert made.record.deaths == 0


def named(units: tuple[Unit, ...]) -> list[tuple[str, str]]:
    return [(unit.kind, unit.name) for unit in units if unit.kind not in LOOSE]


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_definitions_and_members_of_every_language(syntax: Syntax, language: str) -> None:
    text, definitions, members = SAMPLES[language]
    outline = syntax.outline(text, language)
    assert outline.parsed
    assert named(outline.units) == definitions
    assert [m for unit in outline.units for m in named(unit.members)] == members
    assert syntax.problems(text, language) == ()
    # Units cover all of the code.
    covered = "".join(unit.text for unit in outline.units)
    assert len("".join(covered.split())) >= 0.75 * len("".join(text.split()))


def test_every_grammar_has_a_sample() -> None:
    others = {"cuda-cpp", "jsonc", "scss"}  # the same grammars by another name
    assert set(SAMPLES) | others == set(GRAMMAR_OF)


def test_comments_and_decorators_belong_to_what_follows(syntax: Syntax) -> None:
    unit = next(u for u in syntax.units(PYTHON, "python") if u.name == "f")
    assert unit.text.startswith("# About f.\n@cached\ndef f")
    assert unit.signature == "def f(a, b=2) -> int:"
    assert PYTHON[unit.start : unit.end] == unit.text


def test_imports_name_modules_and_what_is_taken(syntax: Syntax) -> None:
    imports = syntax.outline(PYTHON, "python").imports
    assert [(found.module, found.names) for found in imports] == [("os", ()), ("a.b", ("c", "d"))]


def test_offsets_count_characters(syntax: Syntax) -> None:
    text = 'é = "日本語 🐍"\n\n\ndef naïve(ü):\n    return ü + "ßß"\n'
    unit = syntax.units(text, "python")[-1]
    assert (unit.name, unit.text) == ("naïve", 'def naïve(ü):\n    return ü + "ßß"')
    hole = syntax.holes(text, "python")[0]
    assert (hole.kind, text[hole.start : hole.end]) == ("block_body", 'return ü + "ßß"')


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("def f(:\n    pass\n", 0, "missing `)`"),
        ("x = (1\n", 0, ""),
        ("x = 1\ny = = 2\n", 1, "unexpected"),
    ],
)
def test_parse_errors_have_a_line(syntax: Syntax, text: str, line: int, part: str) -> None:
    found = syntax.problems(text, "python")
    assert found
    assert found[0].line == line
    assert part in found[0].message


def test_no_grammar_is_no_verdict(syntax: Syntax) -> None:
    assert syntax.problems("anything (", "fortran") is None


@pytest.mark.parametrize(
    ("marked", "place", "unit"),
    [
        ("def f():‸\n    pass\n", "head", None),
        ("def f(a):\n    ‸\n", "body", ""),
        ("def f(a):\n    x = 1\n    ‸\n    y = 2\n\nz = 3\n", "body", "\n    y = 2"),
        ("def f(a):\n    return g(a, ‸)\n", "arguments", "return g(a, )"),
        ("def f(a):\n    # about ‸x\n    pass\n", "comment", None),
        ('x = "ab‸c"\n', "string", None),
        ("def f(a):\n    b = a‸ + 1\n", "statement", "b = a + 1"),
        ("x = 1\n‸\ndef f():\n    pass\n", "top", None),
    ],
)
def test_place_and_unit_at_the_cursor(
    syntax: Syntax, marked: str, place: str, unit: str | None
) -> None:
    offset = marked.index("‸")
    text = marked.replace("‸", "")
    facts = syntax.cursor(text, "python", offset)
    assert facts.place == place
    if unit is not None:
        assert text[facts.unit_start : facts.unit_end].rstrip("\n") == unit


@pytest.mark.parametrize(
    ("language", "marked", "due"),
    [
        ("python", "def f():\n    ‸\n\ndef g():\n    pass\n", True),
        ("python", "def f():‸\n\ndef g():\n    pass\n", True),
        ("python", "def f():\n    ‸", True),
        ("python", 'def f():\n    """Doc."""\n    ‸\n\nx = 1\n', True),
        ("python", "def f():\n    # what follows:\n    ‸\n\nx = 1\n", True),
        ("python", "if a:\n    b()\nelse:\n    ‸\n", True),
        ("python", "f(\n    ‸\n)\n", True),
        ("python", "f(‸\n", False),
        ("python", "def f():\n    x = 1\n    ‸\n\nx = 1\n", False),
        ("python", "def f():\n    ‸\n    x = 1\n", False),  # it stands below
        ("python", "def f():\n    x = 1\n    # see below:\n    ‸\n\nx = 1\n", False),
        ("python", 'x = """\nwords:\n‸\n"""\n', False),
        ("python", 'x = {\n    "a":\n    ‸\n}\n', False),
        ("python", "x = a[1:\n‸\n", False),
        ("python", "x:‸\n", False),
        ("python", "‸\n", False),
        ("javascript", "const f = (a) => {\n  // why\n  ‸\n};\n", True),
        ("javascript", "function f(a) {\n  return 1;\n  ‸\n}\n", False),
        ("javascript", "const s = `a {\n‸\n`;\n", False),
        ("typescript", "class A {\n  f(): void {\n    ‸\n  }\n}\n", True),
        ("java", "class A {\n  int f() {\n    int x = 1;\n    ‸\n  }\n}\n", False),
        ("c", "int f(void)\n{\n\t‸\n}\n", True),
        ("cpp", "namespace a {\nint f() {‸\n}\n}\n", True),
        ("csharp", "class A {\n  int F()\n  {\n    ‸\n  }\n}\n", True),
        ("go", "switch x {\ncase 1:\n\t‸\n}\n", True),
        ("rust", "match a {\n    1 => {\n        ‸\n    }\n}\n", True),
        ("ruby", "def f(a)\n  ‸\nend\n", True),
        ("ruby", "def f(a)\n  b = 1\n  ‸\nend\n", False),
        ("kotlin", "fun f(a: Int) {\n    ‸\n}\n", True),
        ("php", "<?php\nfunction f($a) {\n  ‸\n}\n", True),
        ("shellscript", "for a in b; do\n  ‸\ndone\n", True),
        ("css", "a {\n  ‸\n}\n", True),
    ],
)
def test_where_a_body_is_due(syntax: Syntax, language: str, marked: str, due: bool) -> None:
    facts = syntax.cursor(marked.replace("‸", ""), language, marked.index("‸"))
    assert facts.parsed
    assert facts.body_is_due is due


def test_a_dropped_syntax_ends_its_process() -> None:
    dropped = Syntax()
    dropped.problems("x = 1\n", "python")
    process = dropped._process
    assert process is not None
    del dropped
    assert process.returncode is not None


def test_enclosing_definitions_and_their_siblings(syntax: Syntax) -> None:
    facts = syntax.cursor(PYTHON, "python", PYTHON.index("c(x, 1)") + 2)
    assert [(e.kind, e.name) for e in facts.enclosing] == [("class", "K"), ("method", "m")]
    assert [s.signature for s in facts.siblings][:1] == ["async def n(self):"]
    assert "def f(a, b=2) -> int:" in [s.signature for s in facts.siblings]


def test_a_blank_line_belongs_to_the_block_of_its_indentation(syntax: Syntax) -> None:
    text = "class K:\n    def m(self):\n        x = 1\n{}\n    def n(self):\n        pass\n"
    for indent, names in (("        ", ["K", "m"]), ("    ", ["K"]), ("", [])):
        written = text.format(indent)
        at = written.index("x = 1\n") + 6 + len(indent)
        facts = syntax.cursor(written, "python", at)
        assert [e.name for e in facts.enclosing] == names


def test_holes_of_each_kind_can_be_cut_out(syntax: Syntax) -> None:
    holes = syntax.holes(PYTHON, "python")
    assert {hole.kind for hole in holes} == {"line", "multi_line", "block_body", "arguments"}
    body = next(h for h in holes if h.kind == "block_body")
    assert PYTHON[body.start : body.end].startswith("x = os.path.join")  # the docstring stays
    assert PYTHON[body.start : body.end].endswith("return x")
    assert "a, b" in [PYTHON[h.start : h.end] for h in holes if h.kind == "arguments"]


@pytest.mark.parametrize("text", ["", "\n", "\ud800 = 1\n", "\ufeffx = 1\n", "a\0b", "x" * 300_000])
def test_odd_texts_are_answered(syntax: Syntax, text: str) -> None:
    syntax.outline(text, "python")
    syntax.cursor(text, "python", len(text))
