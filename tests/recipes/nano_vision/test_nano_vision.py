"""The recipe of nano-vision: training's forward is the model's, and its export can be loaded."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from PIL import Image

from glm_vision import load_model
from glm_vision.cell_reading import ModelCells
from glm_vision.drawn.words import SHAPES
from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.text_tokenizer import TokenizerFile
from recipes.nano_vision import export as exporting
from recipes.nano_vision.drawn_pictures import marked
from recipes.nano_vision.fast_forward import logits_of
from recipes.nano_vision.network import build
from recipes.nano_vision.picture_sample import CHARACTERS, Packer, PictureSample, Turn
from recipes.nano_vision.thing_pictures import ThingPictures
from recipes.nano_vision.tokenizer import BOS, PAD
from recipes.nano_vision.tokenizer import build as build_tokenizer


@pytest.fixture(scope="module")
def network() -> CogVLMForCausalLM:
    torch.manual_seed(0)
    return build().eval()


def noise(seed: int) -> Image.Image:
    numbers = torch.randint(0, 255, (192, 192, 3), generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(numbers.to(torch.uint8).numpy())


def test_several_questions_side_by_side_are_as_if_each_stood_alone(
    network: CogVLMForCausalLM,
) -> None:
    turns = (
        Turn(question="Read line 1.", answer="abc d", spelt=True),
        Turn(question="How many red circles?", answer="3"),
    )
    batch = Packer(40, 144).batch([PictureSample(picture=noise(1), turns=turns)])
    with torch.no_grad():
        fast, cells = logits_of(
            network, batch.pixels_B3SS, batch.tokens_BT, batch.segments_BT, batch.starts_BT
        )
        assert cells.shape[1] == 144
        for number in range(len(turns)):
            own = batch.segments_BT[0] == number
            text = batch.tokens_BT[0][own]
            ids = torch.cat((torch.tensor([BOS] + [PAD] * 146), text))[None]
            types = torch.tensor([[0] + [1] * 146 + [0] * len(text)])
            slow = network(input_ids=ids, token_type_ids=types, images=[[batch.pixels_B3SS[0]]])
            assert torch.allclose(slow.logits[0, 147:], fast[0][own], atol=1e-4)


def test_targets_are_the_answer_and_its_end() -> None:
    packer = Packer(40, 144)
    turn = Turn(question="Read line 2.", answer="if x:", spelt=True)
    batch = packer.batch([PictureSample(picture=noise(2), turns=(turn,))])
    learnt = batch.targets_BT[0][batch.targets_BT[0] >= 0].tolist()
    tokenizer = build_tokenizer()
    assert tokenizer.decode(learnt[:-1]) == "if x:"
    assert learnt[-1] == 2
    assert (batch.cells_BN < 0).all()
    too_long = Turn(question="Read line 2.", answer="x" * 60, spelt=True)
    empty = packer.batch([PictureSample(picture=noise(2), turns=(too_long,))])
    assert (empty.targets_BT < 0).all()


def test_words_in_code_are_spelt() -> None:
    packer = Packer(40, 144)
    spelt = packer.answer(Turn(question="", answer=" circle", spelt=True))
    assert len(spelt) == 8
    assert len(packer.answer(Turn(question="", answer=" circle"))) == 2


def test_patches_are_marked_by_what_covers_them() -> None:
    cells = marked([((0, 0, 96, 16), CHARACTERS["1"])], (192, 192))
    assert [cell == CHARACTERS["1"] for cell in cells] == [n < 6 for n in range(144)]


def test_things_fill_patches_in_order() -> None:
    sample = ThingPictures(random.Random(0)).sample()
    assert sample.cells is not None
    blank = CHARACTERS[" "]
    named = [cell for cell in sample.cells if cell != blank]
    assert 12 <= len(named) <= 48
    assert list(sample.cells[: len(named)]) == named


def test_an_export_is_read_as_it_was_written(
    network: CogVLMForCausalLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MODEL", tmp_path / "frozen")
    (tmp_path / "frozen").mkdir()
    build_tokenizer().save(str(tmp_path / "frozen" / "tokenizer.json"))
    state = {n: t for n, t in network.state_dict().items() if n != "lm_head.weight"}
    folder = tmp_path / "model"
    exporting.export(state, folder)
    assert (folder / "model.safetensors").stat().st_size < 8_000_000
    assert json.loads((folder / "config.json").read_text())["glm_questions"]
    loaded = load_model(folder, dtype=torch.float32)
    assert isinstance(loaded, CogVLMForCausalLM)
    wanted = network.state_dict()
    for name, tensor in loaded.state_dict().items():
        assert (tensor - wanted[name]).abs().max() <= wanted[name].abs().max() / 100, name
    cells = ModelCells(loaded, TokenizerFile(folder))
    [text] = cells.read([noise(3)])
    assert len(text.text) == len(text.sure) == 144
    assert set(cells.name(noise(3), 5, SHAPES)) <= set(SHAPES)
    with pytest.raises(ValueError, match="not taught"):
        cells.name(noise(3), 5, ["elephant"])
