"""Tables of the model card from made-up results."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from glm_protocol.completion import CodeContext, CompletionMode
from recipes.nano_code.curve import Point, draw_curve
from recipes.nano_code.evaluate import judge, scores
from recipes.nano_code.report import data_table, infill_table, language_table, training_lines
from recipes.nano_code.spots import Spot


def spot(truth: str) -> Spot:
    context = CodeContext(path="a.py", language="python", prefix="x = ", suffix="\n")
    return Spot(
        package="demo", language="Python", mode=CompletionMode.LINE, truth=truth, context=context
    )


def test_answers_are_judged_without_trailing_white_space() -> None:
    answer = judge(spot("value + 1"), "value + 1  ")
    assert (answer.exact, answer.similarity, answer.first) == (1.0, 1.0, 1.0)
    assert judge(spot("value + 1"), "value").first == 1.0


def test_tables_show_every_model_and_language() -> None:
    found = scores("nano-code", [judge(spot("a"), "a"), judge(spot("b"), "c")])
    plain = [asdict(score) for score in found]
    table = infill_table(plain, "line")
    assert len(table) == 3
    assert "50.0 [" in table[2]
    assert any(line.startswith("| Python | 50.0 ") for line in language_table(plain, {}))
    assert data_table(())[2].startswith("| Python | 0 |")


def test_the_curve_is_drawn(tmp_path: Path) -> None:
    points = tuple(
        Point(step=n, tokens=n * 4096, seconds=n, loss=8.0 - n / 10,
              held_out=7.9 - n / 10 if n % 10 == 0 else None, rate=1.0)
        for n in range(1, 40)
    )  # fmt: skip
    draw_curve(points, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert any("39 steps" in line for line in training_lines(points, {}))
