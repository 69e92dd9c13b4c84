"""CogView's drawing, captions, scores and super-resolution on a tiny network."""

from __future__ import annotations

import pytest
import torch

from glm_protocol.errors import PromptTooLong
from glm_t2i.pipelines.caption_score import rank, score_captions, score_sequences
from glm_t2i.pipelines.cogview_drawing import (
    codes_to_text,
    complete,
    image_context,
    text_context,
    text_to_codes,
)
from glm_t2i.pipelines.filling import HOLE, fill
from glm_t2i.pipelines.nine_windows import enlarge
from glm_t2i.pipelines.sampling import TopK, greedy
from glm_t2i.pipelines.vocabulary import CogViewIds
from tests.t2i.tiny_networks import CODES, cogview
from tests.t2i.tiny_networks import COGVIEW_IDS as IDS

TEXT = [41, 45, 59]


def test_released_ids() -> None:
    ids = CogViewIds()
    assert (ids.codes.stop, ids.text.start, ids.text.stop) == (8192, 8192, 58192)
    assert ids.commands("[PAD] [BOI1] [EOI1] [ROI1] [ROI2] [BASE] [POS0] [POS8]") == [
        58192, 58193, 58196, 58199, 58200, 58208, 58210, 58218,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no command"):
        ids.command("[NONE]")


def test_drawing_is_what_uncached_greedy_decoding_gives() -> None:
    model = cogview()
    codes = text_to_codes(model, IDS, TEXT, choose=greedy, edge=3)
    tokens = text_context(IDS, TEXT)
    for _ in range(9):
        logits = model(torch.tensor([tokens])).logits[0, -1, :CODES]
        tokens.append(int(logits.argmax()))
    assert codes.flatten().tolist() == tokens[-9:]


def test_one_seed_gives_the_same_samples_that_differ_from_each_other() -> None:
    model = cogview()

    def drawn() -> torch.Tensor:
        choose = TopK(generator=torch.Generator().manual_seed(11), top_k=20)
        return text_to_codes(model, IDS, TEXT, choose=choose, edge=4, samples=3)

    codes = drawn()
    assert codes.shape == (3, 4, 4)
    assert torch.equal(codes, drawn())
    assert not torch.equal(codes[0], codes[1])
    assert int(codes.max()) < CODES


def test_captions_hold_text_only() -> None:
    choose = TopK(generator=torch.Generator().manual_seed(2), top_k=0)
    text = codes_to_text(cogview(), IDS, torch.zeros(2, 2).long(), tokens=12, choose=choose)
    assert text.shape == (1, 12)
    assert all(token in IDS.text for token in text[0].tolist())


def test_steps_are_told_and_can_give_up() -> None:
    seen: list[tuple[int, int]] = []

    def on_step(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        text_to_codes(cogview(), IDS, TEXT, choose=greedy, edge=3, on_step=on_step)
    assert seen == [(1, 9), (2, 9)]


def test_prompts_that_do_not_fit() -> None:
    with pytest.raises(PromptTooLong, match="600"):
        text_to_codes(cogview(), IDS, [41] * 600, choose=greedy, edge=2)
    for wrong in (3, 60, 95):
        with pytest.raises(ValueError, match="no text id"):
            text_to_codes(cogview(), IDS, [wrong], choose=greedy, edge=2)


def test_given_ids_among_holes_are_kept_and_cost_no_pass() -> None:
    model = cogview()
    calls: list[int] = []
    model.register_forward_hook(lambda *_: calls.append(1))
    sequence = [50, 1, HOLE, 2, 3, HOLE, 4]
    filled = complete(model, sequence, choose=greedy, legal=range(CODES))
    assert [int(filled[0, place]) for place in (0, 1, 3, 4, 6)] == [50, 1, 2, 3, 4]
    assert len(calls) == 2


@pytest.mark.parametrize("rows", [[[HOLE, 1]], [[1, HOLE, 1], [1, 1, HOLE]]])
def test_holes_that_cannot_be_filled(rows: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="first id|same places"):
        fill(
            torch.tensor(rows), model_pass=lambda *_: torch.zeros(1, 1, CODES), layers=2,
            choose=greedy, legal=range(CODES),
        )  # fmt: skip


def test_score_is_the_sum_over_text_with_codes_forbidden() -> None:
    model, codes = cogview(), torch.arange(9).view(3, 3)
    tokens = torch.tensor([image_context(IDS, codes) + TEXT])
    logits = model(tokens).logits[0]
    logits[:, :CODES] = float("-inf")
    logs = logits.log_softmax(dim=-1)
    wanted = sum(float(logs[-4 + step, piece]) for step, piece in enumerate(TEXT))
    assert float(score_sequences(model, IDS, tokens)) == pytest.approx(wanted, abs=1e-4)
    scores = score_captions(model, IDS, codes, [TEXT, TEXT[:1]])
    assert float(scores[0]) == pytest.approx(wanted, abs=1e-3)
    mean = score_captions(model, IDS, codes, [TEXT], per_piece=True)
    assert float(mean) == pytest.approx(float(scores[0]) / 3, abs=1e-5)


def test_ranking_is_from_the_best_and_stable() -> None:
    assert rank(torch.tensor([-3.0, -1.0, -2.0, -1.0])) == [1, 3, 2, 0]


def test_sequences_that_cannot_be_scored() -> None:
    model = cogview()
    context = image_context(IDS, torch.zeros(2, 2).long())
    for rows in ([context], [TEXT], [[*context, 41], [*TEXT, *context[:-2]]]):
        with pytest.raises(ValueError, match="every row needs"):
            score_sequences(model, IDS, torch.tensor(rows))
    with pytest.raises(ValueError, match="must not be empty"):
        score_captions(model, IDS, torch.zeros(2, 2).long(), [[]])


def test_nine_windows_cover_the_target_of_every_picture() -> None:
    model, codes = cogview(layers=1), torch.randint(CODES, (2, 16, 16))
    steps: list[int] = []
    larger = enlarge(
        model, IDS, TEXT, codes, choose=greedy, on_step=lambda done, _: steps.append(done)
    )
    assert larger.shape == (2, 32, 32)
    assert 0 <= int(larger.min()) <= int(larger.max()) < CODES
    assert steps == list(range(1, 32 * 32 + 1))


@pytest.mark.parametrize("shape", [(16, 16), (1, 16, 32), (1, 20, 20)])
def test_codes_that_nine_windows_do_not_cover(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="squares"):
        enlarge(cogview(), IDS, TEXT, torch.zeros(shape).long(), choose=greedy)
