"""The judge of drawn prompts on pictures whose content is known, and the command's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from glm_t2i.evaluate import image_command
from glm_t2i.evaluate.attribute_check import judge, regions
from glm_t2i.evaluate.drawn_prompts import Wanted, plain_prompts, sampled_prompts
from glm_t2i.evaluate.shape_canvas import paint
from tests.t2i.tiny_folder import write_tiny_folder


def test_painted_pictures_are_what_was_asked_for() -> None:
    for wanted in [*plain_prompts(), *sampled_prompts(60, seed=2)]:
        assert judge(paint(wanted), wanted).everything, wanted


def test_every_other_attribute_is_wrong() -> None:
    wanted = Wanted(shape="star", colour="red", count=3)
    picture = paint(wanted)
    assert not judge(picture, Wanted(shape="heart", colour="red", count=3)).shape
    assert not judge(picture, Wanted(shape="star", colour="blue", count=3)).colour
    assert not judge(picture, Wanted(shape="star", colour="red", count=2)).count
    lone = paint(Wanted(shape="star", colour="red", place="top left"))
    assert not judge(lone, Wanted(shape="star", colour="red", place="bottom right")).place
    assert not judge(Image.new("RGB", (128, 128), "white"), wanted).everything


def test_shapes_are_told_apart() -> None:
    for wanted in plain_prompts()[::10]:
        (seen,) = regions(paint(wanted))
        others = [w for w in plain_prompts() if w.shape != wanted.shape]
        assert seen.shape == wanted.shape
        assert not any(judge(paint(wanted), other).shape for other in others[::10])


def test_noise_holds_no_shape() -> None:
    noise = Image.effect_noise((128, 128), 150).convert("RGB")
    assert not judge(noise, Wanted(shape="circle", colour="gray")).shape


def test_command_measures_an_untrained_model_as_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GLM_LSP_HOME", str(tmp_path / "home"))
    folder = write_tiny_folder(tmp_path / "tiny")
    sheet = tmp_path / "sheet.png"
    argv = ["--model", str(folder), "--prompts", "3", "--captions", "2", "--json"]
    assert image_command.run([*argv, "--sheet", str(sheet)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["shape_and_colour_prompts"]["everything"] == 0
    assert result["tokenizer_on_drawings"]["psnr_db"] < 20
    assert 0 < result["tokenizer_on_drawings"]["codes_used"] <= 1
    assert 1 <= result["captions"]["mean_place"] <= 20
    with Image.open(sheet) as drawn:
        assert drawn.width > 1000
