"""The drawing is repeatable and the rule says what it should."""

from pathlib import Path

import pytest

from bench.spots import Spot, cursor_places, draw, judge

TEXT = '''"""Doc
string."""
import os


def size(path, times: int = 2):
    # a comment
    return os.path.getsize(path) * times
'''


def spot(row: int, column: int) -> Spot:
    lines = TEXT.split("\n")
    return Spot(
        path="a.py",
        line=row,
        column=column,
        prefix="\n".join([*lines[: row - 1], lines[row - 1][: column - 1]]),
        answer=lines[row - 1][column - 1 :],
        suffix="\n".join(["", *lines[row:]]),
    )


def test_places_are_in_code_and_leave_something_to_find() -> None:
    rows = {row for row, _ in cursor_places(TEXT)}
    assert rows == {3, 6, 8}
    lines = TEXT.split("\n")
    assert all(len(lines[row - 1][column - 1 :]) >= 4 for row, column in cursor_places(TEXT))


def test_the_draw_is_repeatable_and_whole(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(TEXT)
    first = draw([tmp_path / "a.py"], tmp_path, count=3, seed=7)
    assert first == draw([tmp_path / "a.py"], tmp_path, count=3, seed=7)
    assert len({one.line for one in first}) == 3
    assert all(one.prefix + one.answer + one.suffix == TEXT for one in first)


@pytest.mark.parametrize(
    ("guess", "verdict"),
    [
        ("os.path.getsize(path) * times", "exact"),
        ("os.path.getsize(path) * times  ", "exact"),
        ("os.path.getsize( path )*times", "acceptable"),
        ("(os.path.getsize(path)) * times", "acceptable"),
        ("os.path.getsize(path) * other", "parses"),
        ("os.path.getsize(path)", "parses"),
        ("os.path.getsize(path", "broken"),
        ("   ", "silent"),
        ("os.path.getsize(path) * times\nmore", "exact"),
    ],
)
def test_the_rule(guess: str, verdict: str) -> None:
    assert judge(spot(8, 12), guess) == verdict


def test_annotations_do_not_count() -> None:
    assert judge(spot(6, 16), "times=2):") == "acceptable"
