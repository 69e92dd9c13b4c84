"""Bodies of the standard library: the tests tell the original from a mutant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glm_codegen.evaluate.stdlib_holes import MODULES, StdlibHole, draw_stdlib_holes, passes
from glm_context.syntax import Syntax

pytest.importorskip("test.test_colorsys", reason="this Python came without its own tests")


@pytest.fixture(scope="module")
def holes() -> list[StdlibHole]:
    with Syntax() as syntax:
        return list(draw_stdlib_holes(syntax, seed=1))


def test_holes_are_bodies_of_many_modules(holes: list[StdlibHole]) -> None:
    assert {hole.module for hole in holes} == set(MODULES)
    assert all(hole.place.truth.strip() for hole in holes)
    with Syntax() as syntax:
        again = list(draw_stdlib_holes(syntax, seed=1))
    assert [hole.place.id for hole in again] == [hole.place.id for hole in holes]


def test_the_tests_judge_a_body(holes: list[StdlibHole]) -> None:
    hole = next(hole for hole in holes if hole.module == "colorsys")
    assert passes(hole, hole.place.truth)
    assert not passes(hole, "return None")
    elsewhere = replace(hole, place=replace(hole.place, end=hole.place.start))
    assert not passes(elsewhere, "this is no Python\n")
