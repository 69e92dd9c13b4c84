"""Every golden case, and that each filter has one where it fires and one where it must not."""

from __future__ import annotations

from collections import Counter

import pytest

from glm_codegen.cutting.pipeline import FILTERS, cut
from tests.codegen.cutting.golden_cases import GoldenCase, golden_cases

CASES = list(golden_cases())


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_golden_case(case: GoldenCase) -> None:
    found = cut(case.candidate)
    assert found.text == case.shown
    assert found.by == case.by


def test_there_are_enough_and_no_two_alike() -> None:
    assert len(CASES) >= 200
    assert len({case.name for case in CASES}) == len(CASES)
    fired = Counter(name for case in CASES for name in case.by)
    assert set(fired) == {each.__name__ for each in FILTERS}
    assert sum(not case.by for case in CASES) >= 80, "twins in which nothing may fire"


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_cutting_again_changes_nothing(case: GoldenCase) -> None:
    once = cut(case.candidate)
    if once.text:
        assert cut(case.candidate.saying(once.text)).text == once.text
