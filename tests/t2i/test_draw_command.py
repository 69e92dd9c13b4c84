"""`glm-lsp draw` from its words to files; the daemon's part is played by one finished PNG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from glm_protocol.answers import End, FinishReason
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import BadRequest
from glm_t2i import draw_command
from glm_t2i.assets.css_palette import palette_of
from glm_t2i.assets.picture_formats import as_format
from glm_t2i.draw_command import Drawn, arguments, read_size, request_from
from glm_t2i.picture_finish import cut_out, exact_size
from glm_t2i.png_file import png_bytes, recipe_of


def finished(request: DrawRequest, seed: int) -> bytes:
    """What the engine would send: a blue disc."""
    picture = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(picture).ellipse((20, 20, 108, 108), fill=(30, 60, 220))
    if request.transparent:
        picture = cut_out(picture)
    picture = exact_size(picture, request.width, request.height)
    recipe = {
        "prompt": request.prompt, "seed": seed, "model": "tiny", "width": request.width,
        "height": request.height, "transparent": request.transparent,
        "temperature": request.temperature, "options": dict(request.options), "changed": False,
    }  # fmt: skip
    return png_bytes(picture, recipe)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[DrawRequest]:
    """Every request that the command makes."""
    requests: list[DrawRequest] = []

    async def draw(request: DrawRequest, *, show: bool) -> Drawn:
        del show
        requests.append(request)
        seed = 11 if request.seed is None else request.seed
        pngs = tuple(finished(request, seed + i) for i in range(request.count))
        report = {"seed": seed, "score": -1.0, "scores": [-1.0] * len(pngs), "alpha": []}
        return Drawn(pngs=pngs, end=End(finish=FinishReason.STOP, model="tiny", report=report))

    monkeypatch.setattr(draw_command, "draw", draw)
    return requests


def run(*argv: str) -> int:
    return draw_command.run([*argv, "--json"])


def out(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    wire: dict[str, Any] = json.loads(capsys.readouterr().out)
    return wire


def test_one_object_and_a_file_of_the_exact_size(
    asked: list[DrawRequest], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.png"
    assert run("a disc", "-o", str(file), "--size", "40x30", "--seed", "3") == 0
    wire = out(capsys)
    assert wire["files"] == [str(file)]
    assert (wire["seed"], wire["model"], wire["score"]) == (3, "tiny", -1.0)
    assert set(wire["timings_ms"]) >= {"queue", "decode", "total"}
    with Image.open(file) as picture:
        assert picture.size == (40, 30)
    assert asked[0].seed == 3


def test_nothing_is_overwritten_and_again_gives_the_same(
    asked: list[DrawRequest], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.png"
    argv = ("a disc", "-o", str(file), "--size", "20x20", "--transparent", "--seed", "5")
    assert run(*argv) == run(*argv) == 0
    assert run("--again", str(file)) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a-1.png", "a-2.png", "a.png"]
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert asked[2].seed == 5
    assert asked[2].transparent
    assert run("--again", str(file), "--size", "8x9", "--seed", "6", "--option", "best_of=1") == 0
    assert (asked[3].width, asked[3].height, asked[3].seed) == (8, 9, 6)
    assert (asked[3].prompt, asked[3].options) == ("a disc", {"best_of": "1"})
    capsys.readouterr()


def test_webp_and_ico_and_the_recipe_inside(asked: list[DrawRequest], tmp_path: Path) -> None:
    for suffix in (".webp", ".ico"):
        assert run("a disc", "-o", str(tmp_path / f"a{suffix}"), "--size", "48x48") == 0
    with Image.open(tmp_path / "a.webp") as picture:
        assert picture.size == (48, 48)
        recipe = recipe_of(picture)
    assert recipe is not None
    assert recipe["prompt"] == "a disc"
    with Image.open(tmp_path / "a.ico") as icon:
        assert icon.info["sizes"] == {(48, 48)}
    assert run("--again", str(tmp_path / "a.webp")) == 0
    assert asked[-1].prompt == "a disc"


def test_candidates_and_their_sheet(
    asked: list[DrawRequest], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("a disc", "-o", str(tmp_path), "--count", "3") == 0
    names = [Path(file).name for file in out(capsys)["files"]]
    assert names == ["a-disc.png", "a-disc-1.png", "a-disc-2.png", "a-disc-sheet.png"]
    with Image.open(tmp_path / "a-disc-sheet.png") as sheet:
        assert sheet.width > 3 * 128


@pytest.mark.parametrize(
    ("name", "files"),
    [("favicon", 7), ("android", 6), ("ios", 14)],
)
def test_icon_sets_have_their_names_and_sizes(
    asked: list[DrawRequest], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    name: str, files: int,
) -> None:  # fmt: skip
    folder = tmp_path / "icons"
    for expected in (folder, tmp_path / "icons-1"):
        assert run("a disc", "-o", str(folder), "--icon-set", name) == 0
        made = [Path(file) for file in out(capsys)["files"]]
        assert len(made) == files
        assert all(file.is_relative_to(expected) for file in made)
        for file in made:
            if file.suffix == ".png":
                with Image.open(file) as picture:
                    assert picture.width == picture.height
                    assert picture.mode == ("RGB" if name == "ios" else "RGBA")
    if name == "favicon":
        with Image.open(folder / "favicon.ico") as icon:
            assert icon.info["sizes"] == {(16, 16), (32, 32), (48, 48)}


@pytest.mark.parametrize(
    "argv",
    [
        [""],
        ["   "],
        ["x" * 10_001],
        [],
        ["x", "--again", "y.png"],
        ["x", "--size", "0x5"],
        ["x", "--size=-4x5"],
        ["x", "--size", "100000x5"],
        ["x", "--size", "big"],
        ["x", "--count", "0"],
        ["x", "--count", "17"],
        ["x", "--seed=-1"],
        ["x", "--palette", "/nowhere.css"],
        ["x", "--icon-set", "ios", "--size", "9x9"],
        ["x", "--mask", "m.png"],
        ["--again", "/nowhere.png", "--change", "m.png"],
        ["x", "--change", "/nowhere.png", "--box", "0,0,1,1"],
        ["x", "--option", "best_of"],
        ["--again", "/nowhere.png"],
    ],
)
def test_wrong_words_are_refused_before_anything_is_drawn(argv: list[str]) -> None:
    with pytest.raises(BadRequest):
        request_from(arguments().parse_args(argv))


@pytest.mark.parametrize("name", ["a.jpg", "a.svg", "a", "nowhere/a.png", "big.ico"])
def test_wrong_places_are_refused_before_anything_is_drawn(
    asked: list[DrawRequest], tmp_path: Path, name: str
) -> None:
    with pytest.raises(BadRequest):
        run("x", "-o", str(tmp_path / name), "--size", "300x300")
    assert asked == []
    assert list(tmp_path.iterdir()) == []


def test_odd_sizes_are_read() -> None:
    assert read_size("1x4096") == (1, 4096)
    assert read_size(" 30X20 ") == (30, 20)


def test_palette_is_read_from_values_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.css"
    file.write_text("#add { color: #ABC; } /* #111111 */ a{background:rgb(1, 2, 300);b:#aabbcc80}")
    assert palette_of(file) == "#aabbcc,#0102ff"
    file.write_text("a { color: red }")
    with pytest.raises(BadRequest):
        palette_of(file)


def test_box_marks_what_is_drawn_anew(tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    Image.new("RGB", (50, 40), "green").save(file)
    argv = ["a hat", "--change", str(file), "--box", "5,6,10,12"]
    request = request_from(arguments().parse_args(argv))
    assert (request.width, request.height) == (50, 40)
    assert request.image
    assert request.options["box"] == "5,6,10,12"
    argv[-1] = "45,0,10,10"
    with pytest.raises(BadRequest):
        request_from(arguments().parse_args(argv))


def test_a_picture_of_others_is_not_made_again(tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    Image.new("RGB", (5, 4)).save(file)
    with pytest.raises(BadRequest, match="does not say"):
        request_from(arguments().parse_args(["--again", str(file)]))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n rest")
    with pytest.raises(BadRequest):
        request_from(arguments().parse_args(["--again", str(broken)]))


def test_formats_keep_transparency() -> None:
    request = request_from(arguments().parse_args(["x", "--transparent"]))
    png = finished(request, 1)
    for suffix in (".webp", ".ico"):
        (path := Path("/dev/null"))  # formats are bytes; nothing is written
        assert as_format(png, suffix)[:4] in (b"RIFF", b"\0\0\1\0"), path
