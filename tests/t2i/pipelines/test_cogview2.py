"""The whole of CogView2 on tiny networks: text to picture, a box drawn anew, one seed."""

from __future__ import annotations

import pytest
import torch

from glm_t2i.pipelines.cogview2 import STYLES, Choosers, CogView2
from glm_t2i.pipelines.region_infill import Box, Crop, crop_around, infill_picture, region_of
from tests.t2i.tiny_networks import CODES, cogview2

TEXT = [45, 52, 44]


@pytest.fixture(scope="module")
def models() -> CogView2:
    return cogview2()


def released(seed: int) -> Choosers:
    labels = torch.arange(CODES) % 10
    return Choosers.released(labels, torch.Generator().manual_seed(seed), STYLES["mainbody"])


def test_one_seed_gives_the_same_pixels(models: CogView2) -> None:
    pictures = models.draw(TEXT, choosers=released(4), samples=2)
    assert pictures.shape == (2, 3, 96, 96)
    assert 0 <= float(pictures.min()) <= float(pictures.max()) <= 1
    assert torch.equal(pictures, models.draw(TEXT, choosers=released(4), samples=2))
    assert not torch.equal(pictures, models.draw(TEXT, choosers=released(5), samples=2))


def test_steps_count_codes_then_passes(models: CogView2) -> None:
    steps: list[tuple[int, int]] = []
    models.draw(TEXT, choosers=Choosers.greedy(), on_step=lambda *step: steps.append(step))
    assert steps == [(n, 16) for n in range(1, 17)] + [(n, 6) for n in range(1, 7)]


def test_styles_are_the_released_ones() -> None:
    assert STYLES["mainbody"].suffix == " 高清摄影 隔绝"
    assert {name for name, style in STYLES.items() if style.direct_clusters == 5} == {
        "flat",
        "comics",
    }
    assert STYLES["chinese"].temperature == 1.12


@pytest.mark.parametrize(
    ("box", "crop"),
    [
        (Box(top=0.4, left=0.4, bottom=0.6, right=0.6), Crop(top=171, left=171, side=138)),
        (Box(top=0.0, left=0.0, bottom=0.35, right=0.1), Crop(top=0, left=0, side=240)),
        (Box(top=0.9, left=0.2, bottom=1.0, right=0.9), Crop(top=0, left=0, side=480)),
    ],
)
def test_crop_holds_the_box_and_its_surroundings(box: Box, crop: Crop) -> None:
    assert crop_around(box, edge=480) == crop


def test_region_covers_every_cell_that_the_box_touches() -> None:
    box = Box(top=0.5, left=0.25, bottom=0.75, right=0.5)
    region = region_of(box, Crop(top=0, left=0, side=80), edge=80, cells=8)
    assert region.nonzero().amin(dim=0).tolist() == [4, 2]
    assert region.nonzero().amax(dim=0).tolist() == [5, 3]


@pytest.mark.parametrize("share", [0.2, 0.6])  # pasted as it is, and enlarged
def test_box_is_drawn_anew_and_the_rest_untouched(models: CogView2, share: float) -> None:
    pixels = torch.rand(3, 96, 96)
    box = Box(top=0.2, left=0.1, bottom=0.2 + share, right=0.1 + share / 4)
    pictures = infill_picture(models, TEXT, pixels, box, choosers=released(1), samples=2)
    crop = crop_around(box, edge=96)
    outside = torch.ones(96, 96, dtype=torch.bool)
    outside[crop.slices()] = False
    assert outside.any()
    assert torch.equal(pictures[:, :, outside], pixels[:, outside].expand(2, -1, -1))
    assert not torch.equal(pictures[0], pixels)
    assert 0 <= float(pictures.min()) <= float(pictures.max()) <= 1


@pytest.mark.parametrize(
    "sides", [(0.5, 0, 0.5, 1), (0, 0.6, 1, 0.5), (-0.1, 0, 1, 1), (0, 0, 1.1, 1)]
)
def test_boxes_that_are_none(sides: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="a box needs"):
        Box(top=sides[0], left=sides[1], bottom=sides[2], right=sides[3])


def test_pictures_that_cannot_be_filled(models: CogView2) -> None:
    whole = Box(top=0, left=0, bottom=1, right=1)
    with pytest.raises(ValueError, match=r"must be \[3, 96, 96\]"):
        infill_picture(models, TEXT, torch.rand(3, 96, 95), whole, choosers=released(1))
    with pytest.raises(ValueError, match="not all"):
        infill_picture(models, TEXT, torch.rand(3, 96, 96), whole, choosers=released(1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_draws_too(dtype: torch.dtype) -> None:
    halves = cogview2()
    for part in (halves.base, halves.direct, halves.iterative, halves.tokenizer):
        part.to(dtype)
    picture = halves.draw(TEXT, choosers=released(4))
    assert picture.dtype == dtype
    assert bool(picture.isfinite().all())
    box = Box(top=0.2, left=0.1, bottom=0.8, right=0.25)
    filled = infill_picture(halves, TEXT, torch.rand(3, 96, 96), box, choosers=released(1))
    assert filled.dtype == torch.float32
