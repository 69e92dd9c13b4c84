"""Super-resolution of CogView2: the schedule, how many passes it takes, what it leaves alone."""

from __future__ import annotations

import pytest
import torch

from glm_t2i.pipelines.refinement import (
    enlarge_directly,
    levels,
    parallel_passes,
    raster_passes,
    refine,
)
from glm_t2i.pipelines.sampling import greedy
from tests.t2i.tiny_networks import CODES, direct, iterative
from tests.t2i.tiny_networks import ICETK_IDS as IDS

TEXT = [45, 52, 44]


def test_schedule_of_the_released_size() -> None:
    passes = parallel_passes(60)
    assert [int(step.set_HW.sum()) for step in passes] == [2300, 1900, 1500, 1000, 600, 200]
    assert [step.top_k for step in passes] == [40, 40, 40, 20, 20, 10]
    assert int((levels(60) < 1).sum()) == 1300
    assert len(raster_passes(60)) == 3600


def test_parallel_decoding_takes_at_most_an_eighth_of_the_passes() -> None:
    model, codes = iterative(edge=9), torch.randint(CODES, (1, 9, 9))
    calls: list[int] = []
    model.register_forward_hook(lambda *_: calls.append(1))
    counted = {}
    for name, passes in (("parallel", parallel_passes(9)), ("raster", raster_passes(9))):
        calls.clear()
        refine(model, IDS, TEXT, codes, passes, choose=[greedy] * len(passes))
        counted[name] = len(calls)
    assert counted == {"parallel": 6, "raster": 81}
    assert counted["parallel"] <= counted["raster"] / 8


def test_cells_below_the_first_level_are_kept() -> None:
    codes = torch.randint(CODES, (2, 12, 12))
    passes = parallel_passes(12)
    out = refine(iterative(), IDS, TEXT, codes, passes, choose=[greedy] * 6)
    untouched = levels(12) < 1
    assert torch.equal(out[:, untouched], codes[:, untouched])
    assert not torch.equal(out, codes)


def test_refinement_of_a_region_leaves_the_rest() -> None:
    codes = torch.randint(CODES, (1, 12, 12))
    within = torch.zeros(12, 12, dtype=torch.bool)
    within[3:7, 2:9] = True
    before = codes.clone()
    passes = parallel_passes(12, within_HW=within)
    out = refine(iterative(), IDS, TEXT, codes, passes, choose=[greedy] * 6)
    assert torch.equal(out[:, ~within], codes[:, ~within])
    assert torch.equal(codes, before)
    assert len(raster_passes(12, within_HW=within)) == 28


def test_pass_predicts_from_what_is_not_blank() -> None:
    model, codes = iterative(), torch.randint(CODES, (1, 12, 12))
    seen: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    passes = parallel_passes(12)
    refine(model, IDS, TEXT, codes, passes, choose=[greedy] * 6)
    for tokens, step in zip(seen, passes, strict=True):
        blank = tokens[0, 4:].view(12, 12) == IDS.start_of_image
        assert torch.equal(blank, step.blank_HW)
        assert tokens[0, :4].tolist() == [0, *TEXT]


def test_long_text_loses_its_tail_not_its_head() -> None:
    long = [45, 46, 47, 48, 49, 52, 53, 54, 55]
    codes = torch.randint(CODES, (1, 12, 12))
    passes = parallel_passes(12)
    whole = refine(iterative(), IDS, long, codes, passes, choose=[greedy] * 6)
    head = refine(iterative(), IDS, long[:4], codes, passes, choose=[greedy] * 6)
    assert torch.equal(whole, head)
    coarse = torch.randint(CODES, (1, 4, 4))
    assert torch.equal(
        enlarge_directly(direct(), IDS, long, coarse, choose=greedy),
        enlarge_directly(direct(), IDS, long[:7], coarse, choose=greedy),
    )


def test_enlarging_takes_one_pass_for_all_pictures() -> None:
    model = direct()
    calls: list[int] = []
    model.register_forward_hook(lambda *_: calls.append(1))
    coarse = torch.randint(CODES, (3, 4, 4))
    fine = enlarge_directly(model, IDS, TEXT, coarse, choose=greedy)
    assert fine.shape == (3, 12, 12)
    assert len(calls) == 1
    alone = enlarge_directly(model, IDS, TEXT, coarse[1:2], choose=greedy)
    assert torch.equal(fine[1:2], alone)


def test_hidden_padding_does_not_matter() -> None:
    model = direct()
    tokens = torch.zeros(1, 168, dtype=torch.int64)
    positions = torch.tensor([0] * 5 + [0, 1, 2] + list(range(513, 529)) + list(range(600, 744)))
    mask = torch.zeros(24, 24)
    mask[:, 5:8] = 1
    mask[8:, 8:] = 1
    first = model(tokens, positions, mask).logits
    tokens[:, :5] = 44
    assert torch.allclose(model(tokens, positions, mask).logits[:, 5:], first[:, 5:], atol=1e-6)


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="enlarges 16 codes"):
        enlarge_directly(direct(), IDS, TEXT, torch.zeros(1, 3, 3).long(), choose=greedy)
    with pytest.raises(ValueError, match="empty"):
        enlarge_directly(direct(), IDS, [], torch.zeros(1, 4, 4).long(), choose=greedy)
    codes = torch.zeros(1, 9, 9).long()
    with pytest.raises(ValueError, match="refines 12 x 12"):
        refine(iterative(), IDS, TEXT, codes, [], choose=[])
    with pytest.raises(ValueError, match="as many choosers"):
        refine(
            iterative(), IDS, TEXT, torch.zeros(1, 12, 12).long(), parallel_passes(12), choose=[]
        )
    with pytest.raises(ValueError, match="the layout has 168"):
        direct()(torch.zeros(1, 5).long(), torch.arange(5), torch.ones(5, 5))
