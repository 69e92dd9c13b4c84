"""`glm-lsp eval repo|compare`: the places, the measures, the object, against the fake engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glm_codegen.evaluate.evaluation import comparison, evaluation, table
from glm_codegen.evaluate.intervals import estimate
from glm_codegen.evaluate.repo_command import places_of
from glm_codegen.evaluate.repository_holes import KINDS, QUIET, Place, SourceText, workspace_texts
from glm_codegen.evaluate.repository_run import judge
from glm_codegen.evaluate.text_measures import (
    edit_similarity,
    identifier_f1,
    repeats_suffix,
    typed_share,
)
from glm_context.syntax import Syntax
from glm_protocol.errors import BadRequest

CODE = """import os


def read_lines(path, limit):
    found = []
    with open(path) as stream:
        for line in stream:
            found.append(line.rstrip())
    return found[:limit]


def total_of(values):
    result = 0
    for value in values:
        result = result + value
    return result
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(CODE.replace("found", f"found_{name}"))
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / ".env").write_text("TOKEN=1\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text(CODE)
    return tmp_path


def test_places_are_the_same_for_the_same_seed(repository: Path) -> None:
    first = places_of(repository, holes=12, quiet=6, seed=5)
    again = places_of(repository, holes=12, quiet=6, seed=5)
    assert [place.id for place in first] == [place.id for place in again]
    other = places_of(repository, holes=12, quiet=6, seed=6)
    assert {place.id for place in first} != {place.id for place in other}
    assert {place.kind for place in first} == {*KINDS, QUIET}
    assert {place.source.path for place in first} <= {"one.py", "two.py"}


def test_a_quiet_spot_lacks_nothing(repository: Path) -> None:
    spots = [p for p in places_of(repository, holes=0, quiet=9, seed=1) if p.kind == QUIET]
    assert spots
    assert all(place.truth == "" for place in spots)


def test_memory_is_given_tests_too_but_no_secret_file(repository: Path) -> None:
    paths = {path for path, _ in workspace_texts(repository)}
    assert {"one.py", "two.py", "tests/test_one.py"} <= paths
    assert ".env" not in paths


def test_a_folder_without_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no file"):
        places_of(tmp_path, holes=1, quiet=1, seed=1)


def hole(kind: str, before: str, truth: str, after: str) -> Place:
    source = SourceText(path="a.py", language="python", text=before + truth + after)
    return Place(kind=kind, source=source, start=len(before), end=len(before) + len(truth))


def test_judging() -> None:
    place = hole("line", "x = ", "call(a, b)", "\ny = 1\n")
    with Syntax() as syntax:
        right = judge(place, "call(a, b)", syntax)
        assert right["exact"] == right["similarity"] == right["keystrokes_saved"] == 1.0
        assert right["broken"] == right["suffix_repetition"] == 0.0
        assert judge(place, "call(a, b))", syntax)["broken"] == 1.0
        silent = judge(place, "", syntax)
        assert silent["exact"] == silent["similarity"] == 0.0
        assert "broken" not in silent


def test_measures() -> None:
    assert edit_similarity("abcd", "abxd") == 0.75
    assert identifier_f1("a + b", "a + c") == pytest.approx(0.5)
    assert identifier_f1("", "1") == 1.0
    assert typed_share("abX", "abcd") == 0.5
    assert repeats_suffix("x = 1\nreturn y", "\nreturn y\n")
    assert not repeats_suffix("x = 1", "\nreturn y\n")
    assert repeats_suffix("a, b):", "):\n")
    assert not repeats_suffix("f(x)", ")\n")


def test_an_estimate_holds_its_mean() -> None:
    found = estimate([0.0, 1.0] * 50)
    assert found is not None
    assert found.low < found.value == 0.5 < found.high
    assert estimate([]) is None


def run_of(values: list[float], name: str = "one") -> dict[str, object]:
    holes = [
        {"id": str(n), "kind": "line", "language": "python", "path": "a.py", "line": 1, "exact": v}
        for n, v in enumerate(values)
    ]
    return evaluation(holes, repository=name, model="m", settings={"seed": 1})


def test_the_object_and_its_table() -> None:
    wire = json.loads(json.dumps(run_of([0.0, 1.0])))
    for group in (
        wire["metrics"]["all"],
        wire["metrics"]["kind"]["line"],
        wire["metrics"]["language"]["python"],
    ):
        assert group["exact"].keys() == {"value", "low", "high", "n"}
        assert group["exact"]["value"] == 0.5
    assert "exact match" in table(wire)


def test_two_runs_are_compared_hole_by_hole() -> None:
    gap = comparison(run_of([0, 0, 1, 1] * 10), run_of([0, 1, 1, 1] * 10))["differences"]["all"]
    assert gap["exact"]["value"] == 0.25
    assert gap["exact"]["low"] > 0, "paired, the gain is certain"
    same = comparison(run_of([0, 1]), run_of([0, 1]))["differences"]["all"]["exact"]
    assert (same["low"], same["high"]) == (0.0, 0.0)
    with pytest.raises(BadRequest, match="no place in common"):
        comparison(run_of([1.0]), run_of([]))
