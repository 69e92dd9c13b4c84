"""Sampling: greedy, the nucleus, seeds, and logits that are not finite."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from glm_protocol.errors import EngineFailed
from glm_runtime.sampling import Sampler, Sampling

LOGITS = torch.tensor([0.0, 2.0, 1.0, -1.0, 1.9])


def draws(count: int, **options: float) -> list[int]:
    sampler = Sampler(Sampling(**options))  # type: ignore[arg-type]
    return [sampler.next_token(LOGITS) for _ in range(count)]


def test_greedy_takes_the_largest_and_the_first_of_equals() -> None:
    assert draws(3) == [1, 1, 1]
    assert Sampler(Sampling()).next_token(torch.zeros(4)) == 0


def test_a_seed_repeats_and_another_differs() -> None:
    assert draws(40, temperature=1.0, seed=7) == draws(40, temperature=1.0, seed=7)
    assert draws(40, temperature=1.0, seed=7) != draws(40, temperature=1.0, seed=8)
    assert draws(60, temperature=1.0) != draws(60, temperature=1.0)


def test_frequencies_follow_the_temperature() -> None:
    found = Counter(draws(4000, temperature=1.0, seed=1))
    for token, probability in enumerate(LOGITS.softmax(-1).tolist()):
        assert found[token] / 4000 == pytest.approx(probability, abs=0.03)


def test_nucleus() -> None:
    # Probabilities are about 0.41, 0.37 and less: 0.5 needs two tokens, 0.3 one.
    assert set(draws(200, temperature=1.0, top_p=0.5, seed=1)) == {1, 4}
    assert set(draws(50, temperature=1.0, top_p=0.3, seed=1)) == {1}
    assert set(draws(50, temperature=1.0, top_p=0.0, seed=1)) == {1}


def test_a_tiny_temperature_is_greedy() -> None:
    assert set(draws(50, temperature=1e-9, seed=1)) == {1}


def test_masked_logits_are_never_drawn() -> None:
    logits = torch.tensor([0.0, -torch.inf, 0.0])
    sampler = Sampler(Sampling(temperature=2.0, seed=1))
    assert {sampler.next_token(logits) for _ in range(60)} == {0, 2}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_that_are_not_finite(value: float, temperature: float, dtype: torch.dtype) -> None:
    logits = LOGITS.to(dtype).clone()
    logits[3] = value
    with pytest.raises(EngineFailed, match="not finite"):
        Sampler(Sampling(temperature=temperature)).next_token(logits)


@pytest.mark.parametrize(
    "options", [{"temperature": -1.0}, {"top_p": 1.5}, {"temperature": float("nan")}]
)
def test_refusals(options: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Sampling(**options)  # type: ignore[arg-type]
