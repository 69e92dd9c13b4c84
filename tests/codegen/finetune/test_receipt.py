"""The numbers of a receipt and its verdict, against their definitions."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from glm_codegen.evaluate.text_measures import edit_distance
from glm_codegen.finetune.command import default_name, line_of
from glm_codegen.finetune.loss_curve import draw_curve
from glm_codegen.finetune.receipt import verdict
from glm_codegen.finetune.report_page import report_page
from glm_codegen.finetune.scoring import (
    Score,
    differences,
    identifier_f1,
    means,
    score,
)
from glm_codegen.finetune.train_plan import TrainPlan, rate_for
from glm_codegen.finetune.train_state import Look

words = st.text("abc_ (", max_size=24)


def plain_distance(one: str, other: str) -> int:
    """Wagner and Fischer's table."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


@given(words, words)
def test_edit_distance_is_the_textbooks(one: str, other: str) -> None:
    assert edit_distance(one, other) == plain_distance(one, other)


def test_white_space_is_no_difference_and_identifiers_count() -> None:
    found = score("a.py", "  return  total\n", "return total")
    assert (found.exact, found.edit_similarity, found.identifier_f1) == (1.0, 1.0, 1.0)
    assert identifier_f1("a + b", "a - c") == 0.5
    assert identifier_f1("", "1 + 2") == 1.0
    assert identifier_f1("x x", "x") == pytest.approx(2 / 3)


def scores(values: list[float], files: int = 10) -> list[Score]:
    return [
        Score(
            cluster=f"{number % files}.py", exact=value, edit_similarity=value, identifier_f1=value
        )
        for number, value in enumerate(values)
    ]


def test_intervals_are_paired_and_hold_their_mean() -> None:
    chance = random.Random(0)
    before = [chance.random() for _ in range(200)]
    after = [value + 0.05 + chance.gauss(0, 0.01) for value in before]
    gain = differences(scores(before), scores(after))["edit_similarity"]
    assert 0.045 < gain["low"] < gain["value"] < gain["high"] < 0.055
    alone = means(scores(before))["edit_similarity"]
    assert alone["high"] - alone["low"] > 0.03  # unpaired, the gain would drown
    assert gain == differences(scores(before), scores(after))["edit_similarity"]
    assert means([])["exact"] == {"value": None, "low": None, "high": None, "count": 0}


def receipt(value: float, low: float | None, general: float | None) -> dict[str, Any]:
    span = {"value": value, "low": low, "high": value + 0.1, "count": 9}
    loss = {"value": general, "low": general, "high": general, "count": 9}
    return {
        "gain": {"edit_similarity": span},
        "general": {"difference": {"edit_similarity": loss}},
    }


@pytest.mark.parametrize(
    ("value", "low", "general", "wins", "words"),
    [
        (0.05, 0.01, 0.0, True, "It gains +0.050"),
        (0.05, 0.01, -0.02, True, "It gains"),
        (0.05, 0.01, None, True, "It gains"),
        (0.05, 0.0, 0.0, False, "may be none"),
        (-0.05, -0.1, 0.0, False, "may be none"),
        (0.05, 0.01, -0.021, False, "loses 0.021 on general code"),
        (0.0, None, 0.0, False, "nothing is proven"),
    ],
)
def test_the_rule_of_publication(
    value: float, low: float | None, general: float | None, wins: bool, words: str
) -> None:
    found, reason = verdict(receipt(value, low, general))
    assert found is wins
    assert words in reason


def test_the_page_escapes_what_the_repository_says() -> None:
    table = means(scores([0.5] * 4))
    whole = {
        **dict.fromkeys(("base", "base_retrieval", "adapter", "adapter_retrieval"), table),
        **dict.fromkeys(("gain", "gain_without_retrieval"), table),
        "general": {"base": table, "adapter": table},
        "canary": {"exposure_bits": [1.0]},
        "files": {"kept": 1, "rejected": {"no code": 1}, "secrets": ["<b>.py (token)"]},
        "snapshot": {"split": "lines"},
        "questions": 4,
        "published": False,
        "reason": "<script>alert(1)</script>",
    }
    example = dict.fromkeys(
        ("path", "before_cursor", "truth", "base", "adapter", "change"), "<script>alert(1)</script>"
    )
    page = report_page("<i>", whole, [example], b"png")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page


@pytest.mark.parametrize("losses", [(), (2.0,), tuple(3 - 0.1 * n for n in range(20))])
def test_the_curve_is_a_picture(losses: tuple[float, ...]) -> None:
    looks = [Look(score=0.2, exact=0.1, loss=2.0, step=n) for n in range(0, len(losses), 5)]
    with Image.open(io.BytesIO(draw_curve(losses, looks))) as image:
        image.load()
        assert image.size == (900, 420)
        assert len(set(image.convert("L").get_flattened_data())) > 4


def test_the_rate_warms_up_falls_and_follows_the_size() -> None:
    plan = TrainPlan(length=64, steps=100, rate=1.0, warm_up=10)
    rates = [plan.rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == max(rates[5:20])
    assert 0.1 < rates[-1] < 0.11
    assert rate_for(7_000_000_000) == pytest.approx(2e-4)
    assert 2e-4 < rate_for(1_000_000_000) < rate_for(8_000_000) == 2e-3
    with pytest.raises(ValueError, match="rank"):
        TrainPlan(length=64, steps=1, rank=7)


def test_events_read_as_lines_and_folders_name_adapters(tmp_path: Any) -> None:
    (tmp_path / "My shop (2)").mkdir()
    assert default_name(tmp_path / "My shop (2)") == "My-shop-2"
    step = {"step": 3, "steps": 9, "loss": 1.5, "tokens_a_second": 10.0, "seconds_left": 61.0}
    assert line_of("step", step) == "step 3/9  loss 1.500  10 tokens/s  1:01 left"
    held = line_of("step", {**step, "held_out": 1.25})
    assert held == "step 3/9  loss 1.500, held out 1.250  10 tokens/s  1:01 left"
    assert line_of("unheard of", {}) is None
