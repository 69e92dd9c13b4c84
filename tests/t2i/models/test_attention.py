"""Dense attention: what PB-relax is for, hidden rows, masks in every form."""

from __future__ import annotations

import math

import pytest
import torch

from glm_t2i.models.attention import attention_mask, dense_attention
from glm_t2i.models.key_value_cache import KeyValueCache
from glm_t2i.models.layer_norm import SandwichLayerNorm
from tests.t2i.tiny_networks import coglm, cogview


def test_pb_relax_keeps_large_scores_inside_half_precision() -> None:
    q = torch.full((1, 1, 2, 64), 120.0, dtype=torch.float16)
    k, v = q.clone(), torch.randn(1, 1, 2, 64).half()
    assert not torch.isfinite(q @ k.mT).all()  # what plain attention meets first
    out = dense_attention(q, k, v)
    assert torch.isfinite(out).all()
    assert torch.allclose(
        out.float(), v.float().mean(dim=2, keepdim=True).expand(-1, -1, 2, -1), atol=2e-3
    )


def test_row_that_sees_nothing_is_uniform() -> None:
    q, k, v = (torch.randn(1, 1, 3, 4) for _ in range(3))
    mask = torch.ones(3, 3).tril()
    mask[1] = 0
    out = dense_attention(q, k, v, mask)
    assert torch.allclose(out[0, 0, 1], v.mean(dim=2)[0, 0], atol=1e-6)


def test_boost_of_a_column_multiplies_its_weight() -> None:
    q, k = torch.zeros(1, 1, 1, 4), torch.zeros(1, 1, 2, 4)
    v = torch.eye(2, 4).view(1, 1, 2, 4)
    boost = torch.tensor([1.4, 0.0])
    first, second = dense_attention(q, k, v, boost=boost)[0, 0, 0, :2].tolist()
    assert first / second == pytest.approx(math.exp(1.4), rel=1e-5)


def as_mask(mask: torch.Tensor | int | None) -> torch.Tensor:
    found = attention_mask(mask, queries=3, keys=5, device=torch.device("cpu"))
    assert found is not None
    return found


def test_forms_of_a_mask() -> None:
    rows = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    assert as_mask(None)[0, 0].int().tolist() == rows
    assert as_mask(4)[0, 0, 0].int().tolist() == [1, 1, 1, 1, 0]
    for fits in ((3, 5), (2, 3, 5), (2, 1, 3, 5)):
        given = as_mask(torch.ones(fits))
        assert (given.ndim, given.dtype) == (4, torch.bool)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 5), (1, 5), (1, 1, 1, 3, 5)])
def test_mask_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="attention_mask"):
        as_mask(torch.ones(shape))


def test_scaled_norm_of_nothing_is_its_bias() -> None:
    norm = SandwichLayerNorm(4, eps=1e-5, prescaled=True)
    assert norm(torch.zeros(2, 4)).tolist() == [[0.0] * 4] * 2


@pytest.mark.parametrize(
    ("ids", "positions", "says"),
    [
        (torch.tensor([[0, 96]]), None, "input_ids holds 0..96"),
        (torch.tensor([[-1, 0]]), None, "input_ids holds -1..0"),
        (torch.tensor([[1, 2]]), torch.tensor([0, 600]), "position_ids holds"),
        (torch.zeros(1, 2), None, "integers"),
        (torch.zeros(1, 0, dtype=torch.int64), None, "not empty"),
        (torch.zeros(1, 1, 1, dtype=torch.int64), None, r"\[batch, tokens\]"),
    ],
)
def test_ids_that_do_not_fit(ids: torch.Tensor, positions: torch.Tensor | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        cogview()(ids, positions)


def test_cached_steps_of_coglm_are_the_whole_pass() -> None:
    model, ids = coglm(), torch.randint(60, (2, 9))
    whole = model(ids).logits
    cache = KeyValueCache(2, capacity=4)
    parts = [
        model(ids[:, start:end], cache=cache).logits for start, end in ((0, 3), (3, 4), (4, 9))
    ]
    assert cache.length == 9
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-5)


def test_coglm_head_is_the_codes_or_everything() -> None:
    model, ids = coglm(), torch.tensor([[1, 2, 50]])
    codes, everything = model(ids).logits, model(ids, whole_vocabulary=True).logits
    assert codes.shape == (1, 3, 40)
    assert everything.shape == (1, 3, 64)
    assert torch.equal(codes, everything[..., :40])
    assert coglm().half()(ids).logits.dtype == torch.float32


def test_logits_of_the_last_tokens_only() -> None:
    ids = torch.randint(60, (2, 5))
    assert torch.allclose(cogview()(ids, last=2).logits, cogview()(ids).logits[:, -2:], atol=1e-5)
    assert torch.allclose(coglm()(ids, last=1).logits, coglm()(ids).logits[:, -1:], atol=1e-5)
