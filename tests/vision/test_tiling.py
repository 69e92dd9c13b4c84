"""Tiles cover the picture, overlap, and stay readable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from glm_vision.tiling import edge_share, is_dense, plan_tiles


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 8192), st.integers(1, 8192), st.sampled_from([112, 490, 1344]), st.integers(1, 9)
)
def test_every_pixel_is_in_a_tile(width: int, height: int, side: int, most: int) -> None:
    whole, *tiles = plan_tiles(width, height, side=side, most=most)
    assert (whole.width, whole.height) == (width, height)
    assert len(tiles) <= most
    assert len(tiles) != 1
    for axis, length in (("left", width), ("top", height)):
        size = "width" if axis == "left" else "height"
        spans = sorted({(getattr(tile, axis), getattr(tile, size)) for tile in tiles or [whole]})
        reached = 0
        for start, extent in spans:
            assert start <= reached
            assert start == 0 or reached - start >= 47  # the overlap, but for rounding
            reached = start + extent
        assert reached == length


def test_a_screenshot_for_cogvlm() -> None:
    whole, *tiles = plan_tiles(1920, 1080, side=490)
    assert len(tiles) == 6
    assert max(max(tile.width, tile.height) for tile in tiles) <= 490 * 1.6
    assert plan_tiles(1920, 1080, side=1344) == (whole,)
    assert len(plan_tiles(3840, 2100, side=1344)) == 3


def test_boxes_come_back_to_the_picture() -> None:
    tile = plan_tiles(1920, 1080, side=490)[2]
    picture = Image.new("RGB", (1920, 1080))
    picture.putpixel((tile.left + 3, tile.top + 4), (255, 0, 0))
    assert tile.crop(picture).getpixel((3, 4)) == (255, 0, 0)
    assert tile.to_source(3, 4, 5, 6)[:2] == (tile.left + 3, tile.top + 4)


def test_code_is_dense_and_a_gradient_is_not() -> None:
    page = Image.new("RGB", (400, 300), "#1e1e1e")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=12)
    for line in range(20):
        pen.text((4, line * 15), "for index in range(10): print(index, end='')", "#d4d4d4", font)
    assert is_dense(page)
    ramp = np.linspace(0, 255, 400, dtype=np.uint8)[None].repeat(300, 0)
    assert not is_dense(Image.fromarray(ramp))
    assert edge_share(Image.new("L", (1, 1))) == 0.0


def test_sizes_without_sense_are_refused() -> None:
    for width, height, side in ((0, 5, 490), (5, 5, 0), (5, 5, 40)):
        with pytest.raises(ValueError, match="no tiles"):
            plan_tiles(width, height, side=side)
