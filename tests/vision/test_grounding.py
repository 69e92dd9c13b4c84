"""Boxes in every documented style, in source pixels."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from glm_vision.box_drawing import draw_boxes
from glm_vision.grounding import GroundedBox, ask_where, format_box, parse_boxes

from .conftest import DATA

GOLDEN = json.loads((DATA / "grounding.json").read_text())
# Where the released parser drops or keeps something odd, ours differs on purpose.
BETTER = {
    "x [[1, 2, 3, 4]] y": [[[0.001, 0.002, 0.003, 0.004]]],  # spaces are accepted
    "a [[1,2,3]] b": [],  # three numbers are no box
}


def corners(box: GroundedBox) -> tuple[int, int, int, int]:
    return (box.left, box.top, box.right, box.bottom)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["note"])
def test_as_the_released_parser_or_better(case: dict[str, Any]) -> None:
    expected = BETTER.get(case["text"], case["reference_boxes"])
    flat = [tuple(box) for group in expected for box in group]
    assert [box.fractions for box in parse_boxes(case["text"], 1000, 1000)] == flat


def test_pixels_of_the_source() -> None:
    example = GOLDEN["pixel_example"]
    (box,) = parse_boxes(
        f"[[{','.join(map(str, example['box']))}]]", example["image_width"], example["image_height"]
    )
    assert list(corners(box)) == example["absolute_int"]
    assert box.to_json() == {"phrase": "", "box": example["absolute_int"], "clamped": False}


STYLES = [
    "[[100,200,300,400]]",
    "[[ 100 , 200 , 300 , 400 ]]",
    "[ [100, 200, 300, 400] ]",
    "[[100.0,200.0,300.0,400.0]]",
    "<|begin_of_box|>[[100,200,300,400]]<|end_of_box|>",
    "<|begin_of_box|>[100, 200, 300, 400]<|end_of_box|>",
    "<|begin_of_box|>(100,200,300,400)<|end_of_box|>",
    "<|begin_of_box|><100,200,300,400><|end_of_box|>",
    "<|begin_of_box|>{100,200,300,400}<|end_of_box|>",
    "<box>(100,200),(300,400)</box>",
    "CLICK(box=[[100,200,300,400]], element_type='button')",
    "CLICK(box=[100,200,300,400])",
    '{"bbox_2d": [100, 200, 300, 400]}',
    "[[300,400,100,200]]",
]


@pytest.mark.parametrize("text", STYLES)
def test_one_box_in_many_styles(text: str) -> None:
    (box,) = parse_boxes(f"Here: {text} it is.", 2000, 500)
    assert corners(box) == (200, 100, 600, 200)


def test_several_boxes_keep_order_and_duplicates() -> None:
    text = "a cat [[1,1,2,2;3,3,4,4]], a cat [[1,1,2,2]] and [[5,5,6,6],[7,7,8,8]]"
    boxes = parse_boxes(text, 1000, 1000)
    assert [box.left for box in boxes] == [1, 3, 1, 5, 7]
    assert [box.phrase for box in boxes[:3]] == ["a cat"] * 3
    assert text[boxes[2].start : boxes[2].end] == "[[1,1,2,2]]"


def test_phrases() -> None:
    text = "Two cats [[012,034,500,600]] on a sofa [[0,3,9,9]]. The red Save button [[1,2,3,4]]"
    phrases = [box.phrase for box in parse_boxes(text, 10, 10)]
    assert phrases == ["Two cats", "a sofa", "The red Save button"]


def test_lists_in_code_are_no_boxes_unless_asked_for() -> None:
    text = "x = [1, 2, 3, 4]; y = f(5, 6, 7, 8); z = [[1, 2], [3, 4]]; w = [[1,2,3],[4,5,6]]"
    assert parse_boxes(text, 100, 100) == []
    assert len(parse_boxes(text, 100, 100, loose=True)) == 2


def test_values_outside_are_clamped_and_marked() -> None:
    (box,) = parse_boxes("[[-5,10,1280,720]]", 100, 100)
    assert corners(box) == (0, 1, 100, 72)
    assert box.clamped
    (edge,) = parse_boxes("[[0,0,1000,1000]]", 100, 100)
    assert corners(edge) == (0, 0, 100, 100)
    assert not edge.clamped


def test_a_thin_box_keeps_a_pixel() -> None:
    (box,) = parse_boxes("[[999,999,999,999]]", 40, 40)
    assert corners(box) == (39, 39, 40, 40)


def test_fractions() -> None:
    (box,) = parse_boxes("[[0.25, 0.5, 0.75, 1.0]]", 400, 200, scale=1)
    assert corners(box) == (100, 100, 300, 200)


def test_a_box_can_be_asked_about() -> None:
    assert format_box(110, 389, 512, 548, width=1280, height=720) == "[[085,540,400,761]]"
    assert format_box(0, 0, 1280, 720, width=1280, height=720) == "[[000,000,999,999]]"
    assert ask_where("the red button") == (
        "Where is the red button? answer in [[x0,y0,x1,y1]] format."
    )


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="[](){}<>;,. -0123456789ab|box=", max_size=200))
def test_any_answer_gives_boxes_within_the_picture(text: str) -> None:
    for loose in (False, True):
        for box in parse_boxes(text, 37, 11, loose=loose):
            assert 0 <= box.left < box.right <= 37
            assert 0 <= box.top < box.bottom <= 11


def test_a_long_answer_of_brackets_is_parsed_in_linear_time() -> None:
    """Each would take minutes if an expression could backtrack."""
    for text in ("[[" * 60_000, "[[1," * 40_000, "<|begin_of_box|>" * 10_000, "box=[" * 30_000):
        assert parse_boxes(text, 10, 10, loose=True) == []


def test_drawing_leaves_the_picture_alone() -> None:
    picture = Image.new("RGB", (200, 100), "white")
    boxes = parse_boxes("a [[100,200,500,800]] b [[600,100,900,900]]", 200, 100)
    drawn = draw_boxes(picture, boxes)
    assert picture.getcolors() == [(20_000, (255, 255, 255))]
    assert drawn.getpixel((99, 79)) == (0xE6, 0x19, 0x4B)
    assert drawn.getpixel((179, 89)) == (0x3C, 0xB4, 0x4B)
    assert drawn.getpixel((110, 50)) == (255, 255, 255)
    assert draw_boxes(picture.convert("L"), boxes).mode == "RGB"


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="no boxes"):
        parse_boxes("[[1,2,3,4]]", 0, 5)
