"""Filters, draws and cluster draws."""

from __future__ import annotations

import pytest
import torch

from glm_t2i.pipelines.sampling import ClusterDraw, TopK, draw, drawing, greedy, keep_top_k


def test_top_k_keeps_ties_and_zero_keeps_all() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0, 2.0]])
    assert keep_top_k(logits, 2).isfinite().tolist() == [[False, True, True, True]]
    assert torch.equal(keep_top_k(logits, 0), logits)
    assert torch.equal(keep_top_k(logits, 9), logits)


def test_filter_leaves_its_input_alone() -> None:
    logits = torch.randn(2, 8)
    before = logits.clone()
    keep_top_k(logits, 2)
    TopK(generator=torch.Generator().manual_seed(1), top_k=2)(logits)
    assert torch.equal(logits, before)


def test_one_seed_gives_one_draw_whoever_else_draws() -> None:
    logits = torch.randn(50, 30)

    def chosen() -> torch.Tensor:
        torch.rand(7)  # the global generator is someone else's
        return TopK(generator=torch.Generator().manual_seed(5), top_k=9)(logits)

    assert torch.equal(chosen(), chosen())


def test_draws_follow_the_weights(seeded: torch.Generator) -> None:
    weights = torch.tensor([[0.0, 3.0, 1.0]]).expand(4000, -1)
    counts = draw(weights, seeded).bincount(minlength=3)
    assert counts[0] == 0
    assert counts[1] / 4000 == pytest.approx(0.75, abs=0.03)


def test_cluster_draw_stays_inside_the_best_clusters(seeded: torch.Generator) -> None:
    labels = torch.arange(40) % 8
    logits = torch.zeros(400, 40)
    logits[:, labels == 3] = 4.0
    logits[:, labels == 6] = 3.0
    choose = ClusterDraw(labels_V=labels, pick=drawing(seeded), clusters=2)
    assert set(labels[choose(logits)].tolist()) == {3, 6}


def test_greedy_cluster_draw_prefers_mass_to_the_best_code() -> None:
    labels = torch.tensor([0, 1, 1, 1])
    logits = torch.tensor([[2.0, 1.5, 1.4, 1.3]])
    assert greedy(logits).tolist() == [0]
    assert ClusterDraw(labels_V=labels, pick=greedy)(logits).tolist() == [1]


def test_settings_that_make_no_sense(seeded: torch.Generator) -> None:
    with pytest.raises(ValueError, match="temperature"):
        TopK(generator=seeded, temperature=0)
    with pytest.raises(ValueError, match="clusters"):
        ClusterDraw(labels_V=torch.zeros(4, dtype=torch.int64), pick=greedy, clusters=0)
    with pytest.raises(ValueError, match="labels"):
        ClusterDraw(labels_V=torch.zeros(4), pick=greedy)
    choose = ClusterDraw(labels_V=torch.zeros(4, dtype=torch.int64), pick=greedy)
    with pytest.raises(ValueError, match="4 cluster labels do not fit 5 codes"):
        choose(torch.zeros(1, 5))
