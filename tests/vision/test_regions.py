"""Regions, outlined boxes, arrows, lines of text: geometry on pictures whose truth is known."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from glm_vision.arrow_ends import find_arrows
from glm_vision.drawn.flow_diagram import draw_flow
from glm_vision.drawn.scene import draw_scene
from glm_vision.drawn.value_chart import draw_chart
from glm_vision.evaluate.likeness import (
    edge_f1,
    edit_distance,
    iou,
    same_characters,
    value_share,
)
from glm_vision.reading_view import CELL, COLUMNS, canvas_of, even_ink, strip_of
from glm_vision.regions import Box, distance_from_ground, enclosed_boxes, find_regions
from glm_vision.tasks.taught_charts import find_marks
from glm_vision.text_lines import REGULAR, find_text
from glm_vision.thing_view import cell_of, things_canvas

DEFAULT = ImageFont.load_default(size=15)
assert isinstance(DEFAULT, ImageFont.FreeTypeFont)
FONT: ImageFont.FreeTypeFont = DEFAULT


def slow_count(mask: np.ndarray, *, corners: bool) -> int:
    """Regions by painting, pixel by pixel."""
    todo = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    count = 0
    while todo:
        count += 1
        stack = [todo.pop()]
        while stack:
            y, x = stack.pop()
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    near = (y + dy, x + dx)
                    if (corners or dy == 0 or dx == 0) and near in todo:
                        todo.remove(near)
                        stack.append(near)
    return count


@pytest.mark.parametrize("corners", [True, False])
def test_regions_are_those_of_a_slow_painter(corners: bool) -> None:
    numbers = np.random.default_rng(0)
    for density in (0.3, 0.5, 0.7):
        mask = numbers.random((24, 31)) < density
        found = find_regions(mask, corners=corners)
        assert len(found) == slow_count(mask, corners=corners)
        assert sum(region.area for region in found) == mask.sum()
        again = np.zeros_like(mask)
        for region in found:
            again |= region.mask((24, 31))
        assert (again == mask).all()


def test_every_thing_of_a_scene_is_found() -> None:
    for seed in range(10):
        scene = draw_scene(random.Random(seed))
        found = find_regions(distance_from_ground(scene.picture) > 40, least=40)
        found.sort(key=lambda region: (region.box[1], region.box[0]))
        assert len(found) == len(scene.things)
        for region, thing in zip(found, scene.things, strict=True):
            assert iou(region.box, thing.box) > 0.7


def nearest(box: Box, others: list[Box]) -> int:
    return max(range(len(others)), key=lambda number: iou(box, others[number]))


def test_diagrams_are_taken_apart() -> None:
    for seed in range(12):
        drawn = draw_flow(random.Random(seed), FONT)
        lines = distance_from_ground(drawn.picture) > 60
        boxes = enclosed_boxes(lines)
        assert len(boxes) == len(drawn.nodes)
        number = [nearest(box, [node.box for node in drawn.nodes]) for box in boxes]
        found = {(number[a], number[b]) for a, b in find_arrows(lines, boxes)}
        assert found == set(drawn.edges), seed


def test_the_marks_of_charts_are_found() -> None:
    for seed in range(10):
        drawn = draw_chart(random.Random(seed), FONT)
        marks, bars = find_marks(drawn.picture)
        assert bars == (drawn.kind == "bars")
        assert len(marks) == len(drawn.marks)
        for mark, truth in zip(marks, drawn.marks, strict=True):
            assert abs(mark[1] - truth[1]) <= 3


@pytest.mark.parametrize("pitch", [6, 9.63, 14])
@pytest.mark.parametrize("dark", [True, False])
def test_lines_and_columns_of_even_letters_are_found(pitch: float, dark: bool) -> None:
    lines = ["ab cd  efgh ijkl", "  mn", "", "opqr   stuvwxyz a"]
    ground, ink = ((20, 20, 30), (200, 220, 200)) if dark else ((255, 255, 255), (0, 0, 90))
    step = round(2.2 * pitch)
    picture = Image.new("RGB", (round(17 * pitch) + 40, 4 * step + 20), ground)
    pen = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            if character != " ":
                left, base = 15 + column * pitch, 8 + row * step + 1.5 * pitch
                side = 0.14 * pitch
                box = (left + side, base - 1.25 * pitch, left + pitch - 2 * side, base)
                pen.rectangle(box, ink)
    block = find_text(picture)
    assert block is not None
    assert [line.columns for line in block.lines] == [16, 4, 17]
    assert [line.blank_before for line in block.lines] == [0, 0, 1]
    assert block.pitch == pytest.approx(pitch, rel=0.02)
    assert block.left == pytest.approx(15, abs=0.3 * pitch)
    assert block.regular > REGULAR


def test_letters_of_many_widths_are_told_from_even_ones() -> None:
    picture = Image.new("RGB", (640, 90), "white")
    pen = ImageDraw.Draw(picture)
    for row in range(3):
        words = "A line of proportional text, will it be mistaken for code? Illicit willow"
        pen.text((10, 10 + 26 * row), words[7 * row :], "black", FONT)
    block = find_text(picture)
    assert block is not None
    assert block.regular < REGULAR


def test_a_picture_without_text_has_none() -> None:
    assert find_text(Image.new("RGB", (50, 40), "white")) is None
    assert find_text(Image.new("RGB", (1, 1), "black")) is None


def test_a_column_of_a_strip_is_a_cell_of_the_canvas() -> None:
    """Column 13 of segment 1 stands in patch row 4 + 1, column 1."""
    ink = Image.new("L", (700, 30), 0)
    pen = ImageDraw.Draw(ink)
    left, pitch = 20.0, 10.0
    pen.rectangle((left + 13 * pitch + 2, 8, left + 14 * pitch - 3, 20), 255)
    strip = strip_of(ink, left=left, baseline=20, pitch=pitch, ascent=13)
    assert strip.shape == (CELL, COLUMNS * CELL)
    canvas = np.asarray(canvas_of([np.zeros_like(strip), even_ink(strip)]).convert("L"))
    dark = np.argwhere(canvas < 128) // CELL
    assert {tuple(cell) for cell in dark.tolist()} == {(5, 1)}


def test_faint_words_become_as_dark_as_others() -> None:
    strip = np.zeros((CELL, COLUMNS * CELL), dtype=np.float32)
    strip[4:10, 4:10] = 1.0
    strip[4:10, 20 * CELL + 4 : 20 * CELL + 10] = 0.3
    assert even_ink(strip)[:, 20 * CELL :].max() == pytest.approx(1.0)
    assert (even_ink(np.zeros_like(strip)) == 0).all()


def test_a_thing_fills_its_cell_with_a_rim() -> None:
    picture = Image.new("RGB", (100, 80), "white")
    picture.paste("red", (10, 10, 50, 70))
    cell = cell_of(picture, (10, 10, 50, 70))
    assert cell.size == (CELL, CELL)
    assert cell.getpixel((8, 8)) == (255, 0, 0)
    corner = cell.getpixel((0, 0))
    assert isinstance(corner, tuple)
    assert corner[1] > 128
    canvas = things_canvas([cell] * 13)
    assert canvas.getpixel((8, CELL + 8)) == (255, 0, 0)
    assert canvas.getpixel((CELL + 8, CELL + 8)) == (255, 255, 255)
    with pytest.raises(ValueError, match="144"):
        things_canvas([cell] * 145)


def test_likeness() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert same_characters("abcd", "abxd") == 0.75
    assert same_characters("a", "completely other") == 0.0
    assert iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert edge_f1({("a", "b")}, "flowchart TD\n a --> b") == 1.0
    assert edge_f1({("a", "b")}, "a ->") == 0.0
    assert value_share({"a": 10, "b": 100}, "name,value\na,12\nb,50") == 0.5
