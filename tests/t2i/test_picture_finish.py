"""Exact size and real transparency, on drawn pictures whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from glm_protocol.errors import BadRequest
from glm_t2i.picture_finish import cut_out, exact_size, measured_alpha, read_palette


def ring(background: str = "white", colour: str = "red") -> Image.Image:
    large = Image.new("RGB", (512, 512), background)
    pen = ImageDraw.Draw(large)
    pen.ellipse((64, 64, 448, 448), fill=colour)
    pen.ellipse((176, 176, 336, 336), fill=background)
    return large.reduce(4)


@pytest.mark.parametrize("background", ["white", "#202020", "#88ccff"])
def test_background_and_hole_become_clear_and_the_ring_stays(background: str) -> None:
    cut = cut_out(ring(background))
    alpha = np.asarray(cut.getchannel("A"))
    assert alpha[64, 64] == 0
    assert alpha[0, 0] == 0
    assert alpha[64, 30] == 255
    measured = measured_alpha(cut)
    assert measured.real
    assert measured.hole_share == pytest.approx(3.1416 * 20**2 / 128**2, abs=0.01)
    red = np.asarray(cut)[64, 30]
    assert tuple(red[:3]) == (255, 0, 0)


def test_edges_are_soft_and_hold_no_background() -> None:
    cut = np.asarray(cut_out(ring("white", "blue"))).astype(int)
    edge = cut[(cut[..., 3] > 60) & (cut[..., 3] < 200)]
    assert len(edge) > 50
    assert edge[:, 0].max() < 60  # white's red is gone from half-covered blue pixels


def test_a_solid_object_has_no_hole() -> None:
    picture = Image.new("RGB", (128, 64), "white")
    ImageDraw.Draw(picture).rectangle((30, 20, 90, 50), fill="green")
    measured = measured_alpha(cut_out(picture))
    assert measured.real
    assert measured.hole_share == 0


def test_mixed_border_is_left_opaque_and_said_so() -> None:
    noise = Image.effect_noise((64, 64), 120).convert("RGB")
    cut = cut_out(noise)
    assert cut.mode == "RGBA"
    assert not measured_alpha(cut).real


def test_what_is_left_over_takes_the_border_colour() -> None:
    whole = exact_size(ring("#102030"), 300, 100)
    assert whole.size == (300, 100)
    assert whole.getpixel((2, 50)) == (0x10, 0x20, 0x30)


@pytest.mark.parametrize("text", ["", "red", "#12345", "#123456;#222222"])
def test_palette_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        read_palette(text)
