"""Scores of real screenshots: which files are taken, what is counted, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from glm_protocol.errors import BadRequest
from glm_vision.evaluate.screens import (
    LINES_EACH,
    Screen,
    ScreenLine,
    measure_screens,
    read_screens,
    screens_table,
    word_f1,
    words_of,
)

LINES = [
    {"text": "def add(a, b):", "box": [10, 10, 90, 24], "mono": True},
    {"text": "Explorer", "box": [0, 40, 60, 52], "mono": False},
    {"text": "x", "box": [0, 60, 8, 70], "mono": True},
]


def write(folder: Path, name: str, kind: str, lines: list[dict[str, object]]) -> None:
    Image.new("RGB", (100, 80), "white").save(folder / f"{name}.png")
    text = json.dumps({"kind": kind, "lines": lines})
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def test_pictures_with_their_text_are_read_by_name(tmp_path: Path) -> None:
    write(tmp_path, "b", "terminal", LINES)
    write(tmp_path, "a", "web page", LINES[:1])
    Image.new("RGB", (5, 5)).save(tmp_path / "no text.png")
    (tmp_path / "no picture.json").write_text("{}", encoding="utf-8")
    found = list(read_screens(tmp_path))
    assert [(screen.name, screen.kind, len(screen.lines)) for screen in found] == [
        ("a", "web page", 1),
        ("b", "terminal", 3),
    ]
    assert found[1].lines[1].box == (0, 40, 60, 52)
    assert found[1].words == words_of("def add(a, b): Explorer x")


def test_a_folder_without_screenshots_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no screenshot") as refused:
        next(read_screens(tmp_path))
    assert "scripts/screens.sh" in str(refused.value.remedy)


@pytest.mark.parametrize(
    "text", ["{", '{"kind": "x"}', '{"kind": "x", "lines": [{"text": "a", "box": 3, "mono": 1}]}']
)
def test_a_broken_text_is_named(tmp_path: Path, text: str) -> None:
    write(tmp_path, "torn", "web page", LINES)
    (tmp_path / "torn.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadRequest, match=r"torn\.json"):
        next(read_screens(tmp_path))


def test_words_lose_their_punctuation_and_single_letters() -> None:
    assert words_of('(one), "two" a two.') == {"one": 1, "two": 2}
    assert word_f1(words_of("one two two"), words_of("two one")) == pytest.approx(0.8)
    assert word_f1(words_of(""), words_of("")) == 1.0
    assert word_f1(words_of("one"), words_of("")) == 0.0


def test_a_screen_counts_whole_and_by_single_lines(tmp_path: Path) -> None:
    """Lines are cut out a little wider than their box; too short ones are left out."""
    write(tmp_path, "a", "editor", LINES)
    sizes = []

    def reader(picture: Image.Image) -> str:
        sizes.append(picture.size)
        return "def add(a, b):" if picture.size != (100, 80) else "Explorer and more"

    result = measure_screens(read_screens(tmp_path), reader, seed=1)
    assert sizes[0] == (100, 80)
    assert sorted(sizes[1:]) == [(66, 16), (92, 18)]
    kind = result["kinds"]["editor"]
    assert result["screens"] == {"a": kind["words"]["mean"]} == {"a": round(2 / 6, 3)}
    assert kind["fixed-width lines"] == {"mean": 1.0, "n": 1}
    assert kind["other lines"]["mean"] < 0.2
    assert kind["seconds"]["n"] == 1
    rows = screens_table(result).splitlines()
    assert len(rows) == 2
    assert "1.000 (1)" in rows[1]


def test_the_same_seed_cuts_the_same_lines() -> None:
    lines = tuple(
        ScreenLine(text=f"line {row}", box=(0, row, 10 + row, row + 9), mono=True)
        for row in range(40)
    )
    screen = Screen(name="s", kind="k", picture=Image.new("RGB", (60, 60)), lines=lines)

    def cuts(seed: int) -> list[tuple[int, int]]:
        sizes: list[tuple[int, int]] = []

        def reader(picture: Image.Image) -> str:
            sizes.append(picture.size)
            return ""

        measure_screens(iter([screen]), reader, seed=seed)
        return sizes

    assert cuts(1) == cuts(1) != cuts(2)
    assert len(cuts(1)) == 1 + LINES_EACH
