"""Qwen2-VL, GLM-4.1V and Idefics3 (SmolVLM's line) by hand-shake, tokens counted by the processor.

Without torchvision, which the part of a processor that is for films would want.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from glm_protocol.errors import PromptTooLong
from glm_runtime.engine import EngineOptions
from glm_vision.vision_engine import load_engine
from tests.vision.scripted_model import finish, png, question
from tests.vision.tiny_families import FAMILIES

WIDE = png(Image.new("RGB", (64, 32), "red"))
SMALL = png(Image.new("RGB", (32, 32), "blue"))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # transformers'
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_served_by_what_its_processor_says(tmp_path: Path, name: str) -> None:
    FAMILIES[name](tmp_path / "anything")  # the folder's name tells nothing
    engine = load_engine(
        EngineOptions(model=str(tmp_path / "anything"), device="cpu", dtype="float32")
    )
    assert engine.info.architecture == name
    assert engine.info.capabilities == ("chat", "image_in")

    def tokens(*pictures: bytes) -> int:
        text, end = finish(engine, question("hi", *pictures, max_tokens=4))
        assert end.tokens.generated > 0
        assert finish(engine, question("hi", *pictures, max_tokens=4))[0] == text
        counted: int = end.report["image_tokens"]
        return counted

    assert tokens() == 0
    one = tokens(SMALL)
    assert one > 0
    assert tokens(SMALL, SMALL) == 2 * one
    assert tokens(WIDE, SMALL) > one
    with pytest.raises(PromptTooLong):
        finish(engine, question("a" * 600, SMALL))
    engine.close()
