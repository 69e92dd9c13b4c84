"""Prompts, pixels and tokens against the released conversation builder."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from glm_protocol.errors import ModelUnusable, PromptTooLong
from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.models.expert_route import position_ids
from glm_vision.pixels import pixels_of
from glm_vision.processor import CogVLMProcessor
from glm_vision.prompt_templates import Turn, render, render_text_only
from glm_vision.text_tokenizer import TokenizerFile

from .conftest import DATA, VERSIONS, Reference, read_model, read_reference


class ByteTokenizer:
    """id = 10 + byte."""

    def encode(self, text: str) -> list[int]:
        return [10 + byte for byte in text.encode()]

    def decode(self, ids: list[int]) -> str:
        return bytes(token - 10 for token in ids if 10 <= token < 266).decode(errors="replace")


def picture(reference: Reference, name: str) -> Image.Image:
    return Image.fromarray(reference.tensors[f"preprocess.image_{name}_rgb_u8"].numpy(), "RGB")


@pytest.fixture
def processor(model: CogVLMForCausalLM) -> CogVLMProcessor:
    return CogVLMProcessor(ByteTokenizer(), model.config)


@pytest.mark.parametrize("name", ["a", "b"])
def test_pixels(reference: Reference, model: CogVLMForCausalLM, name: str) -> None:
    pixels = pixels_of(picture(reference, name), model.config.tower.image_size)
    expected = reference.tensors[f"preprocess.pixel_{name}"]
    torch.testing.assert_close(pixels, expected, atol=1e-6, rtol=0)


def reference_prompts() -> list[Any]:
    return [
        pytest.param(version, row, id=f"{version}-{row['template']}-{index}")
        for version in VERSIONS
        for index, row in enumerate(json.loads((DATA / version / "prompts.json").read_text()))
    ]


@pytest.mark.parametrize(("version", "row"), reference_prompts())
def test_prompts_are_exact(version: str, row: dict[str, Any]) -> None:
    reference = read_reference(version)
    processor = CogVLMProcessor(ByteTokenizer(), read_model(version).config)
    prompt = processor.prompt(
        row["query"],
        history=[Turn(question=question, answer=answer) for question, answer in row["history"]],
        images=[picture(reference, "a")] if row["image"] else [],
        template=row["template"],
    )
    assert prompt.text == row["text"]
    assert prompt.input_ids == row["input_ids"]
    assert prompt.token_type_ids == row["token_type_ids"]
    batch = processor.batch([prompt])
    assert batch["attention_mask"].tolist() == [row["attention_mask"]]
    assert prompt.image_tokens == (processor.config.image_slots if row["image"] else 0)


def test_templates() -> None:
    past = [Turn(question="a?", answer="b")]
    assert render("vqa", "c?", past) == "Question: a? Short answer: b\nQuestion: c? Short answer:"
    assert render("base", "c?", past) == "c?"
    assert render_text_only("hi").endswith(" USER: hi ASSISTANT:")
    with pytest.raises(ValueError, match="chat, vqa, base"):
        render("chat_old", "c?")


def test_a_batch_answers_as_its_rows_alone(
    model: CogVLMForCausalLM, processor: CogVLMProcessor, reference: Reference
) -> None:
    """Two images, one image, none: text stands between images, so no two runs touch."""
    a, b = picture(reference, "a"), picture(reference, "b")
    prompts = [
        processor.prompt("compare", images=[a, b]),
        processor.prompt("and this?", images=[b], template="vqa"),
        processor.prompt("plain text"),
    ]
    runs = prompts[0].token_type_ids
    assert sum(now > before for before, now in pairwise(runs)) == 2
    kwargs: dict[str, Any] = {"do_sample": False, "max_new_tokens": 6, "eos_token_id": None}
    together = model.generate(**processor.batch(prompts), **kwargs)[:, -6:]
    for row, prompt in enumerate(prompts):
        alone = model.generate(**processor.batch([prompt]), **kwargs)[:, -6:]
        assert torch.equal(together[row : row + 1], alone)
        processor.answer(alone[0].tolist())


def test_an_image_takes_three_positions(processor: CogVLMProcessor, reference: Reference) -> None:
    prompt = processor.prompt("x", images=[picture(reference, "a")], template="base")
    last = int(position_ids(torch.tensor([prompt.token_type_ids]))[0, -1])
    assert last + 1 == 1 + 3 + 1  # bos, image, one letter
    with pytest.raises(PromptTooLong, match="positions"):
        processor.prompt("x" * processor.config.max_position_embeddings)


def test_answers_end_at_the_stop_token(processor: CogVLMProcessor) -> None:
    stop = next(iter(processor.stops))
    assert stop is not None
    assert processor.answer([*ByteTokenizer().encode(" yes "), stop, 99]) == "yes"


def test_a_picture_of_another_mode_is_refused(processor: CogVLMProcessor) -> None:
    with pytest.raises(ValueError, match="RGB"):
        processor.prompt("x", images=[Image.new("L", (4, 4))])


def test_text_cannot_become_a_special_token(tmp_path: Path) -> None:
    tokenizer = Tokenizer(WordLevel({"<unk>": 0, "<s>": 1, "<": 2, "s": 3, ">": 4}, "<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens(["<s>"])
    assert tokenizer.encode("<s>").ids == [1]
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert 1 not in TokenizerFile(tmp_path).encode("<s> s")
    assert TokenizerFile(tmp_path).decode([1, 3]) == "s"


def test_a_folder_without_tokenizer_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"Put the tokenizer\.json"):
        TokenizerFile(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelUnusable, match="no tokenizer"):
        TokenizerFile(tmp_path)
