"""Guessing ahead saves steps and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glm_runtime.drafting import DraftPace, Expected, Repetition
from glm_runtime.lora_weights import LoraPair, LoraWeights
from glm_runtime.native.engine_build import NoCompiler
from glm_runtime.native.engine_library import load_library
from glm_runtime.native.native_placement import NativePlacement
from tests.runtime.native_configs import BASE
from tests.runtime.one_row import OneRow, eager_pace
from tests.runtime.test_native_engine import native, stored


def propose(text: list[int], said: list[int], most: int = 7) -> list[int]:
    return list(Repetition(text).propose(said, most))


def test_it_proposes_what_followed_before() -> None:
    text = [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 1, 2, 3]
    assert propose(text, []) == [4, 5, 6, 7, 8, 9, 9]
    assert propose(text, [4], most=2) == [5, 6]
    assert propose(text, [4, 77]) == []
    assert propose([], [1, 2]) == propose([1], []) == []


def test_the_longest_history_decides_and_then_the_last_place() -> None:
    assert propose([5, 1, 2, 30, 9, 1, 2, 40, 7, 1, 2, 50, 9, 1, 2], [], 1) == [40]
    assert propose([1, 2, 30, 1, 2, 40, 8, 1, 2], [], 1) == [40]


def test_the_text_before_the_cursor_is_the_history() -> None:
    tailed = Repetition([1, 2, 3, 4, 5, 90, 91], tail=[2, 3])
    assert list(tailed.propose([], 2)) == [4, 5]
    assert list(tailed.propose([4], 2)) == [5, 90]


def test_an_expected_text_is_followed_as_long_as_it_agrees() -> None:
    expected = Expected([4, 5, 6])
    assert expected.propose([], 9) == [4, 5, 6]
    assert expected.propose([4], 1) == [5]
    assert expected.propose([5], 9) == []


def test_the_width_follows_what_is_accepted_and_what_it_costs() -> None:
    pace = DraftPace()
    assert pace.worth("x", beside=1, most=9) == 0, "nothing was measured yet"
    for width in (1, 2, 4, 8, 16):
        pace.took(width, 1.0 + 0.1 * width)
    for _ in range(40):
        pace.learn("good", proposed=4, accepted=4)
        pace.learn("bad", proposed=4, accepted=0)
        pace.learn("fair", proposed=4, accepted=2)
    widths = [pace.worth(source, beside=1, most=15) for source in ("bad", "fair", "good")]
    assert widths[0] == 0
    assert 0 < widths[1] < widths[2] == 15
    assert pace.worth("good", beside=12, most=15) <= 4, "the kernels' width is all rows'"
    assert any(pace.worth("bad", beside=1, most=9) for _ in range(60)), "it looks again"
    dear = DraftPace()
    for width in (1, 2, 4, 8):
        dear.took(width, 3.0 * width)
    assert dear.worth("x", beside=1, most=9) == 0


def test_a_row_that_ends_says_nothing_against_the_guesses_left() -> None:
    pace = DraftPace()
    pace.learn("x", proposed=3, accepted=3)
    assert pace.acceptance("x") > 0.8
    pace.learn("x", proposed=1, accepted=0)
    assert pace.acceptance("x") < 0.8


@pytest.mark.parametrize("chosen", ["greedy", "against the guesses", "along a repetition"])
def test_speculated_is_plain(tmp_path: Path, chosen: str) -> None:
    try:
        load_library()
    except NoCompiler as missing:
        pytest.skip(f"no native engine here: {missing}")
    model: Any = native(stored(tmp_path, BASE))
    decoder = OneRow(model, NativePlacement(dtype_name="int8", kernels=""))
    decoder.decoder.pace = eager_pace()
    prompt = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14] * 4
    random = np.random.default_rng(0)
    decoder.begin(prompt)
    logits = decoder.prefill()
    assert logits is not None
    plain = model.new_store()
    wanted = model.forward(prompt, plain)
    for place in range(60):
        assert np.array_equal(logits, wanted)
        token = {
            "greedy": int(wanted.argmax()),
            "against the guesses": int(random.integers(0, 9)),
            "along a repetition": prompt[place % 10],
        }[chosen]
        logits, wanted = decoder.step(token), model.forward([token], plain)
    if chosen == "along a repetition":
        assert decoder.strand is not None
        decoder.decoder.end(decoder.strand)
        assert decoder.decoder.steps <= 60 / 4
    assert decoder.begin([*prompt, 1, 2]) == len(prompt)
    last = decoder.prefill()
    assert last is not None
    assert np.array_equal(last, model.forward([*prompt, 1, 2], model.new_store()))


def test_guesses_of_one_adapter_are_not_met_by_another(tmp_path: Path) -> None:
    """Guesses that were not taken were once cut out of the next adapter's store: a length below
    zero, and the engine went down."""
    try:
        load_library()
    except NoCompiler as missing:
        pytest.skip(f"no native engine here: {missing}")
    generator = torch.Generator().manual_seed(0)
    pair = LoraPair(
        a_RI=torch.randn(4, 64, generator=generator), b_OR=torch.randn(64, 4, generator=generator)
    )
    lora = LoraWeights(name="x", pairs={"model.layers.0.self_attn.o_proj": pair})
    model: Any = native(stored(tmp_path, BASE))
    decoder = OneRow(model, NativePlacement(dtype_name="int8", kernels=""))
    decoder.decoder.pace = eager_pace()
    prompt = [5, 6, 7, 8, 9, 10, 11, 12] * 4
    for turn, wanted in enumerate((None, lora, None, lora)):
        assert (decoder.begin(prompt, wanted) > 0) == (turn > 1), "each finds its own again"
        logits = decoder.prefill()
        assert logits is not None
        assert np.array_equal(logits, model.forward(prompt, model.new_store(wanted)))
        decoder.step(prompt[0])  # as it went before: guesses are looked at
        assert decoder.strand is not None
        assert len(decoder.cache.tokens) > len(decoder.strand.tokens), "no guess was looked at"
