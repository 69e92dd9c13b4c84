"""Screens of several panels, sizes and grounds: taken apart, put in order, read."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from glm_runtime.engine import EngineOptions
from glm_vision.glyph_rows import readings
from glm_vision.grounds import local_ink, without_long_runs
from glm_vision.layout import MARK, Block, lay_out, reading_order
from glm_vision.like_letters import likely_letters
from glm_vision.vision_engine import VisionEngine, load_engine
from tests.vision.scripted_model import finish, png, question

LIGHT, DARK = (250, 250, 250), (30, 32, 38)


def font(size: int) -> ImageFont.FreeTypeFont:
    made = ImageFont.load_default(size=size)
    assert isinstance(made, ImageFont.FreeTypeFont)
    return made


@pytest.fixture(scope="module")
def engine() -> Iterator[VisionEngine]:
    made = load_engine(EngineOptions(model="nano-vision", threads=1))
    yield made
    made.close()


def two_panels() -> Image.Image:
    """Names on a light side bar, three larger lines on a dark panel, a bar below both."""
    picture = Image.new("RGB", (900, 400), DARK)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 219, 359), LIGHT)
    pen.rectangle((0, 360, 899, 399), (0, 90, 160))
    for row, name in enumerate(("alpha", "beta", "gamma", "delta")):
        pen.text((20, 20 + 27 * row), name, (20, 20, 20), font=font(17))
    for row, line in enumerate(("Words on a dark panel", "with faint ones", "and an end")):
        fill = (95, 98, 105) if row == 1 else (230, 230, 230)
        pen.text((260, 30 + 41 * row), line, fill, font=font(26))
    pen.text((20, 368), "ready", (255, 255, 255), font=font(17))
    return picture


def test_panels_are_blocks_of_their_own() -> None:
    layout = lay_out(two_panels())
    assert [len(block.rows) for block in layout.blocks] == [4, 3, 1]
    bar, panel, below = (block.box for block in layout.blocks)
    assert bar[2] <= 219 < panel[0]
    assert below[1] >= 360
    heights = [row.height for row in layout.blocks[1].rows]
    assert min(heights) > max(row.height for row in layout.blocks[0].rows)


def test_faint_text_is_as_dark_as_bright_text_and_grounds_are_none() -> None:
    picture = two_panels()
    ink = local_ink(picture)
    assert ink[71:100, 260:440].max() == pytest.approx(1.0)
    assert ink[200:340, 300:800].max() == 0
    edges = np.r_[ink[:350, 210:230].ravel(), ink[355:365].ravel()]
    assert edges.max() < MARK


def test_a_selected_row_is_a_ground() -> None:
    picture = Image.new("RGB", (300, 120), DARK)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((10, 40, 289, 69), (60, 64, 74))
    for row in range(3):
        pen.text((20, 12 + 31 * row), "a chosen file", (220, 220, 220), font=font(18))
    layout = lay_out(picture)
    assert [len(block.rows) for block in layout.blocks] == [3]
    left, _, right, _ = layout.blocks[0].box
    assert (left, right) == pytest.approx((20, 130), abs=12)


def test_frames_and_bars_are_not_text() -> None:
    picture = Image.new("RGB", (400, 200), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((10, 10, 390, 190), outline="black", width=2)
    pen.line((10, 100, 390, 100), "black", 1)
    pen.rectangle((375, 12, 388, 188), (120, 120, 120))
    pen.text((40, 40), "inside", "black", font=font(18))
    ink = without_long_runs(local_ink(picture), MARK)
    marked = np.argwhere(ink > MARK)
    assert marked[:, 1].max() < 120
    assert marked[:, 0].max() < 70
    assert len(lay_out(picture).blocks) == 1


def test_dark_text_on_a_dark_ground_is_found() -> None:
    picture = Image.new("RGB", (300, 60), (18, 18, 18))
    ImageDraw.Draw(picture).text((20, 20), "hardly seen", (36, 36, 36), font=font(18))
    assert len(lay_out(picture).blocks) == 1


def test_blocks_are_read_above_before_below_and_left_before_right() -> None:
    boxes = {
        "head": (0, 0, 100, 10),
        "left": (0, 20, 40, 90),
        "right": (50, 22, 100, 60),
        "under right": (50, 70, 100, 88),
        "foot": (0, 100, 100, 110),
    }
    blocks = {name: Block(box=box, rows=()) for name, box in boxes.items()}
    mixed = [blocks[name] for name in ("foot", "under right", "left", "head", "right")]
    assert reading_order(mixed) == list(blocks.values())
    overlapping = [Block(box=(0, 5, 9, 20), rows=()), Block(box=(5, 0, 12, 9), rows=())]
    assert reading_order(overlapping) == overlapping[::-1]


def test_slim_letters_are_known_by_their_strokes() -> None:
    picture = Image.new("RGB", (200, 60), "white")
    pen = ImageDraw.Draw(picture)
    x = 20
    for letter in "HiH.HlH:H":
        if letter == "H":
            pen.rectangle((x, 10, x + 3, 33), "black")
            pen.rectangle((x, 20, x + 12, 23), "black")
            pen.rectangle((x + 10, 10, x + 13, 33), "black")
            x += 17
            continue
        for top, bottom in {"i": ((10, 13), (17, 33)), ".": ((30, 33),), "l": ((10, 33),)}.get(
            letter, ((17, 20), (30, 33))
        ):
            pen.rectangle((x, top, x + 3, bottom), "black")
        x += 7
    (way,) = readings(lay_out(picture))
    assert [row.known for row in way.spaced] == [" i . l : "]
    assert way.spaced[0].text.lines[0].columns == 9


@pytest.mark.parametrize(
    ("read", "meant"),
    [
        ("1ast, a!id w!th", "last, aiid with"),
        ("ln lf line", "In If line"),
        ("2OO of O.7, l2", "200 of 0.7, 12"),
        ("no! x1 a_1b v1.2", "no! x1 a_1b v1.2"),
        ("", ""),
    ],
)
def test_letters_that_look_alike_go_by_their_neighbours(read: str, meant: str) -> None:
    assert likely_letters(read) == meant
    assert len(likely_letters(read)) == len(read)


def test_two_panels_are_read_each_at_its_own_scale(engine: VisionEngine) -> None:
    text, end = finish(engine, question("", png(two_panels()), options={"task": "read"}))
    assert end.report["valid"] is None
    words = set(text.split())
    assert {"alpha", "ready", "on", "dark", "panel", "with", "faint", "ones", "end"} <= words
    assert text.index("alpha") < text.index("faint") < text.index("ready")


def test_an_error_inside_of_a_screen_is_found(engine: VisionEngine) -> None:
    picture = two_panels()
    pen = ImageDraw.Draw(picture)
    pen.rectangle((240, 200, 880, 340), (12, 12, 12))
    for row, line in enumerate(
        (
            "Traceback  (most  recent  call  last):",
            '  File  "shop/basket.py",  line  34,  in  total',
        )
    ):
        # Two blanks: this font has narrow ones.
        pen.text((260, 220 + 30 * row), line, (240, 120, 120), font=font(20))
    _, end = finish(engine, question("", png(picture), options={"task": "error"}))
    assert end.report["valid"] is True
    assert [(p["file"], p["line"]) for p in end.report["places"]] == [("shop/basket.py", 34)]


def test_noise_is_no_text_and_bounded() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    began = time.process_time()
    layout = lay_out(Image.fromarray(noise))
    assert len(layout.blocks) < 20
    assert time.process_time() - began < 20  # a runaway cut would take for ever
    assert lay_out(Image.new("RGB", (1, 1), "black")).blocks == ()
    assert lay_out(Image.new("RGB", (9000, 2), "white")).blocks == ()
