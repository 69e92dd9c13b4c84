"""CogLM's sequences, infills, scores and training rows on a tiny network."""

from __future__ import annotations

import pytest
import torch

from glm_protocol.errors import PromptTooLong
from glm_t2i.pipelines.coglm_drawing import draw_codes, infill_codes, score_text
from glm_t2i.pipelines.coglm_sequence import drawing_sequence, infill_sequence
from glm_t2i.pipelines.coglm_training import (
    draw_corners,
    generation_row,
    text_spans,
    understanding_row,
)
from glm_t2i.pipelines.filling import HOLE
from glm_t2i.pipelines.sampling import TopK, greedy
from glm_t2i.pipelines.vocabulary import IcetkIds
from tests.t2i.tiny_networks import CODES, coglm
from tests.t2i.tiny_networks import ICETK_IDS as IDS

TEXT = [45, 52, 44]


def region(edge: int, rows: slice, columns: slice) -> torch.Tensor:
    mask = torch.zeros(edge, edge, dtype=torch.bool)
    mask[rows, columns] = True
    return mask


def test_texts_that_do_not_fit() -> None:
    drawing_sequence(IDS, [45] * 110, edge=2)
    with pytest.raises(PromptTooLong, match="111 tokens"):
        drawing_sequence(IDS, [45] * 111, edge=2)
    with pytest.raises(ValueError, match="empty"):
        draw_codes(coglm(), IDS, [], choose=greedy, edge=2)


def test_cached_drawing_is_what_whole_passes_give() -> None:
    model = coglm()
    codes = draw_codes(model, IDS, TEXT, choose=greedy, edge=3)
    sequence = drawing_sequence(IDS, TEXT, edge=3)
    tokens = sequence.ids_T.clone()
    for hole in (tokens == HOLE).nonzero()[:, 0].tolist():
        known = tokens.masked_fill(tokens == HOLE, 0)[None]
        boost = sequence.boost(len(tokens))
        logits = model(known, sequence.positions_T, sequence.mask_QK, boost=boost).logits
        tokens[hole] = logits[0, hole - 1].argmax()
    assert codes.flatten().tolist() == tokens[4:].tolist()


def test_boosting_the_text_changes_the_picture() -> None:
    sequence = drawing_sequence(IDS, TEXT, edge=3)
    assert sequence.boost(6).tolist() == pytest.approx([1.4, 1.4, 1.4, 0, 0, 0])
    assert sequence.boost(6, strength=0).sum() == 0


def test_infill_leaves_everything_else_alone() -> None:
    codes = torch.randint(CODES, (5, 5))
    hole = region(5, slice(1, 4), slice(2, 4))
    choose = TopK(generator=torch.Generator().manual_seed(1), top_k=0)
    drawn = infill_codes(coglm(), IDS, TEXT, codes, hole, choose=choose, samples=4)
    assert drawn.shape == (4, 5, 5)
    assert torch.equal(drawn[:, ~hole], codes[~hole].expand(4, -1))
    assert not torch.equal(drawn[0], drawn[1])


def test_hole_at_the_left_border_has_no_given_neighbour() -> None:
    codes = torch.arange(16).view(4, 4)
    sequence = infill_sequence(IDS, TEXT, codes, region(4, slice(0, 2), slice(0, 2)))
    assert sequence.context == 3 + 1 + 12
    assert sequence.ids_T[sequence.context :].tolist() == [HOLE] * 4


def test_masked_code_sees_what_is_right_of_and_below_it() -> None:
    codes = torch.arange(16).view(4, 4)
    sequence = infill_sequence(IDS, TEXT, codes, region(4, slice(1, 2), slice(1, 2)))
    first_hole = int((sequence.ids_T == HOLE).nonzero()[0])
    seen = sequence.places_T[sequence.mask_QK[first_hole - 1]].tolist()
    assert sorted(place for place in seen if place >= 0) == [n for n in range(16) if n != 5]


@pytest.mark.parametrize("share", ["none", "all"])
def test_regions_that_leave_nothing(share: str) -> None:
    hole = torch.zeros(3, 3) if share == "none" else torch.ones(3, 3)
    with pytest.raises(ValueError, match="some codes and not all"):
        infill_sequence(IDS, TEXT, torch.zeros(3, 3).long(), hole)
    with pytest.raises(ValueError, match="same size"):
        infill_sequence(IDS, TEXT, torch.zeros(3, 3).long(), torch.ones(3, 4))


def test_text_score_is_the_mean_after_the_picture() -> None:
    model, codes = coglm(), torch.randint(CODES, (2, 3, 3))
    scores = score_text(model, IDS, codes, TEXT)
    tokens = torch.cat((codes.flatten(1), torch.tensor([[62, *TEXT]] * 2)), dim=1)
    positions = torch.tensor([*range(513, 522), *range(4)])
    logs = model(tokens, positions, 9, whole_vocabulary=True).logits.log_softmax(dim=-1)
    wanted = torch.stack([logs[:, 9 + n, piece] for n, piece in enumerate(TEXT)]).mean(dim=0)
    assert torch.allclose(scores, wanted, atol=1e-5)


def test_language_decides_the_start_of_a_text() -> None:
    ids = IcetkIds()
    assert ids.start_of_text([20_100, 83_822]) == 150_001
    assert ids.start_of_text([20_100, 83_823]) == 150_002


SAMPLE = torch.tensor([45, 46, 41, 52, 41, 41, *range(36)])


def test_spans_and_rows_of_a_sample_with_a_short_text() -> None:
    assert text_spans(IDS, SAMPLE, codes=36) == [(0, 2), (3, 4)]
    row = generation_row(IDS, SAMPLE, text=0, codes=36)
    assert row.ids_T[5] == IDS.start_of_image
    assert row.loss_T.nonzero()[:, 0].tolist() == list(range(5, 41))
    with pytest.raises(ValueError, match="2 texts"):
        generation_row(IDS, SAMPLE, text=2, codes=36)
    full = SAMPLE.clone()
    full[5] = 45
    with pytest.raises(ValueError, match="must be padding"):
        generation_row(IDS, full, text=0, codes=36)


def test_code_in_a_patch_sees_all_outside_and_the_patch_before_it() -> None:
    row = understanding_row(IDS, SAMPLE, [(1, 1)], codes=36)
    picture = row.mask_QK[6:, 6:]
    assert picture[0].view(6, 6)[1:5, 1:5].sum() == 0
    assert picture[0].sum() == 20
    assert picture[2 * 6 + 3].sum() == 20 + 4 + 3
    assert row.mask_QK[0:3, 6:].all()
    assert row.ids_T[:6].tolist() == [61, 45, 46, 62, 52, 41]


@pytest.mark.parametrize("corner", [(-1, 0), (0, 3)])
def test_patch_outside_the_picture(corner: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="does not lie inside"):
        understanding_row(IDS, SAMPLE, [corner], codes=36)


def test_corners_are_twenty_and_inside(seeded: torch.Generator) -> None:
    corners = draw_corners(seeded)
    assert len(corners) == 20
    assert all(0 <= row < 16 and 0 <= column < 16 for row, column in corners)
