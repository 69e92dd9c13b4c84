"""`glm-lsp translate`: what is printed and written, what is never overwritten, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glm_context.syntax import Syntax
from glm_lsp.cli import translate
from glm_lsp.translation_layout import TranslatedUnit, file_name, language_of, whole_file
from glm_protocol.errors import BadRequest
from tests.support.scripted_daemon import ScriptedDaemon


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptedDaemon:
    made = ScriptedDaemon("function f() {\n  return 1;\n}", report={"names": ["my_name = myName"]})
    made.put_in_place(monkeypatch, tmp_path)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    made = tmp_path / "work" / "a.py"
    made.write_text(
        "import os\n\n\ndef my_name():\n    return 1\n\n\ndef g():\n    return my_name()\n"
    )
    return made


def test_json_has_the_words_of_the_contract(
    daemon: ScriptedDaemon, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert translate.run([str(file), "--to", "js", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parses"] is True
    assert found["units"] == 2
    assert found["text"].count("function f") == 2
    assert {"first_text", "total"} <= set(found["timings_ms"])
    assert found["model"] == "m"


def test_names_chosen_once_go_with_later_units(daemon: ScriptedDaemon, file: Path) -> None:
    translate.run([str(file), "--to", "javascript", "--json"])
    assert [request.names for request in daemon.requests] == [(), ("my_name = myName",)]


def test_output_is_written_and_checked_and_never_over_a_file(
    daemon: ScriptedDaemon, file: Path
) -> None:
    out = file.with_name("out.js")
    line = [str(file), "--to", "javascript", "-o", str(out), "--check", "test -s"]
    assert translate.run(line) == 0
    before = out.read_text()
    with pytest.raises(BadRequest, match="not overwritten"):
        translate.run(line)
    assert out.read_text() == before
    assert translate.run([str(file), "--to", "javascript", "--check", "false", "--json"]) == 1


def test_what_does_not_parse_is_told_and_ends_with_one(
    daemon: ScriptedDaemon, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.texts = ["function f( {"]
    assert translate.run([str(file), "--to", "javascript", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["parses"] is False
    assert found["errors"][0]["line"] >= 0
    assert found["retried"] == 2


def test_source_that_does_not_parse_is_translated_and_said(
    daemon: ScriptedDaemon, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("def f(:\n    return ]\n")
    translate.run([str(file), "--to", "javascript", "--json"])
    found = capsys.readouterr()
    assert json.loads(found.out)["source_errors"] > 0
    assert "the source itself has" in found.err


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [("", [], "empty"), (" \n", [], "empty"), ("x = 1\n" * 100_000, [], "at most 20,000"),
     ("x = 1\n", ["--to", "klingon"], "no language"), ("x = 1\n", ["--to", "python"], "already"),
     ("x = 1\n", ["--lines", "2-9"], "no range"), ("import os\n", [], "imports alone")],
)  # fmt: skip
def test_bad_input_is_refused(
    daemon: ScriptedDaemon, file: Path, text: str, more: list[str], said: str
) -> None:
    file.write_text(text)
    with pytest.raises(BadRequest, match=said):
        translate.run([str(file), "--to", "javascript", *more])
    assert not daemon.requests


def test_a_name_that_tells_no_language_needs_from(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    odd = tmp_path / "work.odd"
    odd.write_text("def f():\n    return 1\n")
    with pytest.raises(BadRequest, match="does not tell"):
        translate.run([str(odd), "--to", "javascript"])
    assert translate.run([str(odd), "--to", "javascript", "--from", "python", "--json"]) == 0


def test_a_folder_becomes_a_folder_beside_it(
    daemon: ScriptedDaemon, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file.parent / "b.py").write_text("def h():\n    return my_name()\n")
    (file.parent / "notes.md").write_text("# no code\n")
    assert translate.run([str(file.parent), "--to", "javascript", "--json"]) == 0
    made = file.parent.with_name("work-javascript")
    assert sorted(path.name for path in made.iterdir()) == ["a.js", "b.js"]
    assert len(json.loads(capsys.readouterr().out)["files"]) == 2
    assert "my_name()" in daemon.requests[-1].code  # of the other file: one table of names
    assert daemon.requests[-1].names == ("my_name = myName",)
    with pytest.raises(BadRequest, match="not overwritten"):
        translate.run([str(file.parent), "--to", "javascript"])


def test_files_get_what_their_language_needs() -> None:
    path = Path("my-tools.py")
    function = TranslatedUnit(
        kind="function", text="static int f(List<Integer> xs) {\n    return 1;\n}"
    )
    java = whole_file([function], "java", path)
    assert java.startswith("import java.util.*;\n\npublic class MyTools {\n    static int f(")
    assert file_name(path, "java") == "MyTools.java"
    go = whole_file([TranslatedUnit(kind="code", text="fmt.Println(math.Sqrt(2))")], "go", path)
    assert go.startswith('package main\n\nimport (\n\t"fmt"\n\t"math"\n)')
    assert "func main() {\n\tfmt.Println" in go
    cpp = whole_file([TranslatedUnit(kind="function", text="std::string f();")], "cpp", path)
    assert cpp.startswith("#include <string>\n\n")
    python = whole_file([TranslatedUnit(kind="function", text="x = math.pi")], "python", path)
    assert python.startswith("import math\n")


HEADED = {
    "java": (
        "import java.io.*;\nimport java.util.*;\n\npublic class A {\n    int x;\n}",
        "import java.io.*;",
    ),
    "kotlin": ("package p\n\nimport kotlin.math.max\n\nfun f() {\n}", "import kotlin.math.max"),
    "csharp": ("using System;\n\nclass A {\n}", "using System;"),
    "go": ('package x\n\nimport (\n\t"os"\n\t"fmt"\n)\n\nfunc f() {\n\tfmt.Println()\n}', '"os"'),
    "php": ("<?php\n\nfunction f() {\n}\n?>", "<?php"),
    "rust": ("use std::io;\n\nfn f() {\n}", "use std::io;"),
    "typescript": ('import { a } from "b";\n\nfunction f() {\n}', "import { a }"),
    "ruby": ("require 'set'\n\ndef f\nend", "require 'set'"),
    "c": ("#include <stdio.h>\n\nint f(void) {\n  return 1;\n}", "#include <stdio.h>"),
    "cpp": ("#include <string>\n\nint f() {\n  return 1;\n}", "#include <string>"),
    "javascript": ("function f() {\n}", "function f"),
    "python": ("import os\n\n\ndef f():\n    pass", "import os"),
}


@pytest.mark.parametrize("target", sorted(HEADED))
def test_what_a_model_imports_in_every_unit_stands_once_on_top(target: str) -> None:
    """The twelve languages: each has a grammar, and what two answers make is a file of it."""
    text, header = HEADED[target]
    other = text.replace("class A", "class B").replace(" f(", " g(")
    units = [TranslatedUnit(kind="class", text=one) for one in (text, other)]
    whole = whole_file(units, target, Path("two.x"))
    with Syntax() as syntax:
        assert syntax.problems(whole, target) == ()
        assert syntax.problems(whole + "\n)]}", target)
    if target in ("java", "kotlin", "csharp", "go", "php"):
        assert whole.count(header) == 1


def test_languages_have_many_names() -> None:
    assert [language_of(word) for word in ("C++", ".py", "golang", "JS", "kotlin")] == [
        "cpp", "python", "go", "javascript", "kotlin",
    ]  # fmt: skip
