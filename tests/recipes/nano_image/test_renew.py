"""The card's table is put between its marks, and says what was measured."""

from __future__ import annotations

import pytest

from recipes.nano_image.renew import END, MARK, put, table

SHARES = {
    "prompts": 4, "shape": 0.75, "colour": 1.0, "count": 1.0, "place": 1.0,
    "shape_and_colour": 0.75, "everything": 0.5,
}  # fmt: skip
SCORES = {
    "shape_and_colour_prompts": SHARES,
    "count_or_place_prompts": SHARES,
    "captions": {"pictures": 6, "right_first": 0.9},
    "seconds_a_picture": 1.06,
}
ICONS = {
    key: {"pictures": 7, "psnr_db": 26.6, "psnr_db_worst": 19.0, "codes_used": used}
    for key, used in (("icons_black", 0.754), ("icons_in_colours", 0.98), ("drawings", 0.9))
}


def test_table_stands_between_the_marks_and_nowhere_else() -> None:
    page = f"# Card\n\n{MARK}\nold\n{END}\n\nafter\n"
    text = table(SCORES, ICONS, ["eval", "image"], "load 0.1")
    once = put(page, text)
    assert "old" not in once
    assert once.endswith(f"{END}\n\nafter\n")
    assert put(once, text) == once
    assert "| 26.6 dB (19.0) | 24 dB |" in once
    assert "| 98 %; 75 %; 90 % | 60 % |" in once
    assert "| 75 % (colour alone 100 %) | 80 % |" in once


def test_card_without_its_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        put("# Card\n", "x")
