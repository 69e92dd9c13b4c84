"""The hand-written translation set is whole, and its drivers agree across languages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from glm_codegen.evaluate.program_run import Outcome, ProgramRunner, missing_tools
from glm_codegen.evaluate.test_program import test_program as written_program
from glm_codegen.evaluate.translation_set import LANGUAGES, exercises, split_types, wanted_output
from glm_codegen.evaluate.typed_values import literal, parse_type


def test_the_set_is_whole() -> None:
    found = exercises()
    assert len(found) >= 60
    for exercise in found:
        assert set(exercise.code) == set(LANGUAGES), exercise.name
        assert exercise.calls
        assert all(len(values) == len(exercise.parameters) for values in exercise.calls)
        assert exercise.trial("java").calls[0].name in exercise.code["java"]


def test_types_are_read_back() -> None:
    for text in ("int", "list<list<int>>", "map<str,list<float>>"):
        assert str(parse_type(text)) == text
    assert split_types("int, map<str,int>, list<int>") == ["int", " map<str,int>", " list<int>"]
    with pytest.raises(ValueError, match="no type"):
        parse_type("tuple<int>")


@pytest.mark.parametrize(
    ("value", "kind", "language", "written"),
    [(True, "bool", "python", "True"), (True, "bool", "go", "true"), ("a", "char", "java", "'a'"),
     ("a", "char", "python", '"a"'), ([1], "list<int>", "go", "[]int{1}"),
     ([1], "set<int>", "go", "map[int]bool{1: true}"),
     ([["a", 1]], "map<str,int>", "javascript", 'new Map([["a", 1]])'),
     ([["a", 1]], "map<str,int>", "java", 'new HashMap<>(Map.of("a", 1))'),
     ([], "set<int>", "python", "set()"), ("x", "str", "cpp", 'std::string("x")')],
)  # fmt: skip
def test_values_are_written_in_each_language(
    value: object, kind: str, language: str, written: str
) -> None:
    assert literal(value, parse_type(kind), language) == written


def test_originals_of_python_and_javascript_agree() -> None:
    chosen = [e for e in exercises() if e.name in ("caesar_shift", "char_frequency", "average")]
    with ProgramRunner() as runner:
        for exercise in chosen:
            wanted = wanted_output(exercise, runner)
            assert wanted.count("\n") == len(exercise.calls)
            if missing_tools("javascript"):
                continue
            program = written_program(
                exercise.code["javascript"], exercise.trial("javascript"), "javascript"
            )
            assert runner.run(program, "javascript").output == wanted


def test_failures_have_kinds() -> None:
    exercise = next(e for e in exercises() if e.name == "is_even")
    with ProgramRunner() as runner:

        def outcome(code: str) -> Outcome:
            return runner.run(
                written_program(code, exercise.trial("python"), "python"), "python"
            ).outcome

        assert outcome("def is_even(n:\n") is Outcome.COMPILE_ERROR
        assert outcome("raise SystemExit(3)\n") is Outcome.RUN_ERROR
        assert outcome("def is_even(n):\n    return n\n") is Outcome.OUTPUT


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_a, **_k: None)
    assert missing_tools("go") == ("go",)
    with ProgramRunner() as runner:
        assert runner.run("", "go").outcome is Outcome.NO_COMPILER


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("go1.19.8", ("go 1.21 or newer",)),
        ("go1.21rc2", ()),
        ("go1.27.3", ()),
        ("", ("go 1.21 or newer",)),
    ],
)
def test_an_old_go_is_named(
    version: str, missing: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "go"
    tool.write_text(f"#!/bin/sh\necho {version}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing_tools("go") == missing
