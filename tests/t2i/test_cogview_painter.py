"""CogView's three GPTs as one painter: drawing, ranking by the second, enlarging by the third."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from glm_protocol.errors import BadRequest, ModelUnusable
from glm_t2i.cogview_painter import CogViewPainter, DrawingHabits
from glm_t2i.models.cogview import CogView
from glm_t2i.models.vqvae import VqVae, VqVaeConfig
from glm_t2i.nano_layout import NanoLayout
from glm_t2i.painter_loading import load_painter
from glm_t2i.painting import Painted, Painting, Step
from tests.t2i.tiny_folder import write_tiny_folder
from tests.t2i.tiny_networks import CODES, COGVIEW_IDS, cogview, ready

EDGE = 16  # the smallest that nine windows take; released: 32
ASKED = Painting(prompt="a cat", width=64, height=64, seed=2)


def painter(*, ranker: CogView | None = None, enlarger: CogView | None = None) -> CogViewPainter:
    vqvae = ready(VqVae(VqVaeConfig(channel=8, embed_dim=8, n_embed=CODES)))
    layout = NanoLayout(ids=COGVIEW_IDS, edge=EDGE, image_position=0, most_text=5)
    return CogViewPainter(
        cogview(layers=1), vqvae, layout, lambda text: [1, 2][: len(text)],
        DrawingHabits(best_of=2),
        ranker=ranker, enlarger=enlarger,
    )  # fmt: skip


def drawn(what: CogViewPainter, asked: Painting) -> tuple[list[Step], Painted]:
    *steps, last = what.paint(asked)
    assert isinstance(last, Painted)
    return [step for step in steps if isinstance(step, Step)], last


def test_super_resolution_doubles_the_side_step_by_step() -> None:
    small = painter()
    large = painter(enlarger=cogview(layers=1))
    steps, picture = drawn(large, ASKED)
    assert drawn(small, ASKED)[1].picture.size == (8 * EDGE, 8 * EDGE)
    assert picture.picture.size == (16 * EDGE, 16 * EDGE)
    whole = 5 * EDGE**2
    assert [(step.step, step.steps) for step in steps] == [(n + 1, whole) for n in range(whole)]
    assert large.memory_bytes > small.memory_bytes


def test_captions_model_ranks() -> None:
    """Of two samples the one that the other model prefers is kept."""
    own, other = painter(), painter(ranker=ready(cogview(layers=2), seed=9))
    codes = torch.randint(CODES, (2, EDGE, EDGE), generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(own.scores(codes, "a cat"), other.scores(codes, "a cat"))
    assert drawn(other, ASKED)[1].score != drawn(own, ASKED)[1].score


def test_whole_picture_is_no_region() -> None:
    given = Image.new("RGB", (64, 64))
    asked = Painting(
        prompt="a cat",
        width=64,
        height=64,
        seed=1,
        given=given,
        region=Image.new("L", (64, 64), 255),
    )
    with pytest.raises(BadRequest, match="a part of a picture"):
        painter().check(asked)


def test_other_gpts_are_found_in_their_folders(tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "whole")
    alone = load_painter(folder).memory_bytes
    (folder / "caption").mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / "caption" / name).write_bytes((folder / name).read_bytes())
    assert load_painter(folder).memory_bytes > alone
    (folder / "super_resolution").symlink_to(folder / "vqvae")
    with pytest.raises(ModelUnusable, match="no CogView"):
        load_painter(folder)
