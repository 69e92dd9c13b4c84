"""Guessing ahead saves steps and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glm_runtime.decode import Decoder
from glm_runtime.drafting import WIDEST, Drafter
from glm_runtime.lora_weights import LoraPair, LoraWeights
from glm_runtime.native.engine_build import NoCompiler
from glm_runtime.native.engine_library import load_library
from glm_runtime.native.native_placement import NativePlacement
from tests.runtime.test_native_engine import BASE, native, stored


def drafter(accepted: bool = True) -> Drafter:
    made = Drafter()
    for width in (1, 2, 4, 8):
        made.took(width, 1.0 + 0.1 * width)
    for _ in range(40):
        made.learn(proposed=4, accepted=4 if accepted else 0)
    return made


def test_it_proposes_what_followed_before() -> None:
    made = drafter()
    made.begin([1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 1, 2, 3])
    assert made.propose() == [4, 5, 6, 7, 8, 9, 9]
    made.add(4)
    assert made.propose()[:2] == [5, 6]
    made.add(77)
    assert made.propose() == []


def test_another_prompt_forgets_the_first() -> None:
    made = drafter()
    made.begin([1, 2, 3, 4, 5, 1, 2, 3])
    made.begin([1, 2, 9])
    assert made.propose() == []


def test_nothing_is_proposed_where_it_does_not_pay() -> None:
    made = drafter(accepted=False)
    made.begin([1, 2, 3, 4, 5, 6, 1, 2, 3])
    assert made.propose() == []
    assert any(made.propose() for _ in range(60)), "it looks again now and then"
    dear = Drafter()
    for width in (1, 2, 4, 8):
        dear.took(width, 3.0 * width)
    dear.begin([1, 2, 3, 4, 5, 6, 1, 2, 3])
    assert dear.propose() == []


@pytest.mark.parametrize("chosen", ["greedy", "against the guesses", "along a repetition"])
def test_speculated_is_plain(tmp_path: Path, chosen: str) -> None:
    try:
        load_library()
    except NoCompiler as missing:
        pytest.skip(f"no native engine here: {missing}")
    model: Any = native(stored(tmp_path, BASE))
    decoder = Decoder(model, NativePlacement(dtype_name="int8", kernels=""))
    decoder._drafter = drafter()
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
        assert decoder.steps <= 60 * 2 / WIDEST + 20
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
    decoder = Decoder(model, NativePlacement(dtype_name="int8", kernels=""))
    decoder._drafter = drafter()
    prompt = [5, 6, 7, 8, 9, 10, 11, 12] * 4
    for turn, wanted in enumerate((None, lora, None, lora)):
        assert (decoder.begin(prompt, wanted) > 0) == (turn > 1), "each finds its own again"
        logits = decoder.prefill()
        assert logits is not None
        assert np.array_equal(logits, model.forward(prompt, model.new_store(wanted)))
        decoder.step(prompt[0])  # as it went before: guesses are looked at
        assert decoder._ahead
