"""Three-region attention against a plain loop, and how pivots are drawn."""

from __future__ import annotations

import math

import pytest
import torch

from glm_t2i.models.key_value_cache import KeyValueCache
from glm_t2i.models.sparse_attention import (
    SparseStep,
    SparseTraining,
    attend_in_training,
    draw_pivots,
    draw_step_keys,
)
from tests.t2i.tiny_networks import cogview


def by_hand(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, pivots: torch.Tensor, window: int, times: int
) -> torch.Tensor:
    """One query at a time, from the description alone."""
    out = torch.empty_like(q)
    tokens, width = q.shape[2], q.shape[3]
    extra = math.log(tokens // pivots.shape[1])
    for batch in range(q.shape[0]):
        for row in range(tokens):
            first = max(0, (row // window - times + 1) * window)
            near = list(range(first, row + 1))
            far = [int(p) for p in pivots[batch] if int(p) < first]
            keys = torch.tensor(far + near)
            scores = q[batch, :, row : row + 1] @ k[batch, :, keys].mT / math.sqrt(width)
            scores[..., : len(far)] += extra
            out[batch, :, row] = (scores.softmax(dim=-1) @ v[batch, :, keys])[:, 0]
    return out


@pytest.mark.parametrize("times", [1, 2, 3])
def test_training_attention_is_what_it_says(times: int, seeded: torch.Generator) -> None:
    q, k, v = (torch.randn(2, 2, 24, 8, generator=seeded) for _ in range(3))
    pivots = torch.stack([torch.randperm(24, generator=seeded)[:5] for _ in range(2)])
    found = attend_in_training(q, k, v, pivots, window=4, window_times=times)
    assert torch.allclose(found, by_hand(q, k, v, pivots, 4, times), atol=1e-5)


def test_a_window_over_everything_is_causal_attention() -> None:
    model, ids = cogview(), torch.randint(90, (2, 16))
    pivots = SparseTraining(
        pivots_LBP=torch.zeros(2, 2, 16, dtype=torch.int64), window=8, window_times=2
    )
    assert torch.allclose(model(ids, sparse=pivots).logits, model(ids).logits, atol=1e-4)


def test_pivots_are_all_text_and_some_codes_anew_in_each_layer(seeded: torch.Generator) -> None:
    ids = torch.tensor([[50, 51, *range(38)], [60, *range(39)]])
    pivots = draw_pivots(ids, layers=3, pivots=10, image_tokens=40, generator=seeded)
    assert pivots.shape == (3, 2, 10)
    for layer in pivots:
        assert layer[0, :2].tolist() == [0, 1]
        assert layer[1, 0] == 0
        assert all(len(set(row.tolist())) == 10 for row in layer)
    assert not torch.equal(pivots[0], pivots[1])


@pytest.mark.parametrize("pivots", [1, 41])
def test_pivots_that_do_not_fit(pivots: int, seeded: torch.Generator) -> None:
    ids = torch.tensor([[50, 51, *range(38)]])
    with pytest.raises(ValueError, match="pivots do not fit"):
        draw_pivots(ids, layers=1, pivots=pivots, image_tokens=40, generator=seeded)


def test_step_keys_are_text_a_share_of_codes_and_the_window(seeded: torch.Generator) -> None:
    ids = torch.tensor([50] * 12 + [1] * 116)
    keys = draw_step_keys(
        ids, layers=2, window=16, window_times=2, pivots=24, max_sequence_length=128,
        image_tokens=40, generator=seeded,
    )  # fmt: skip
    assert keys.shape == (2, 1, 12 + 84 * 24 // 128 + 32)
    assert keys[0, 0, :12].tolist() == list(range(12))
    assert keys[1, 0, -32:].tolist() == list(range(96, 128))


def test_sparse_where_it_does_not_go() -> None:
    model, ids = cogview(), torch.randint(90, (1, 16))
    step = SparseStep(keys_LBK=torch.zeros(2, 1, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="cache and exactly one"):
        model(ids, sparse=step)
    pivots = torch.zeros(2, 1, 4, dtype=torch.int64)
    training = SparseTraining(pivots_LBP=pivots, window=8, window_times=2)
    with pytest.raises(ValueError, match="without a cache"):
        model(ids, sparse=training, cache=KeyValueCache(2))
    with pytest.raises(ValueError, match="do not fit"):
        model(ids[:, :15], sparse=training)
