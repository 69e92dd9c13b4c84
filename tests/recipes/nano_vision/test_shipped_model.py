"""The nano-vision that ships: it loads by name, is small, and answers. No answer is pinned."""

from __future__ import annotations

import json

from PIL import Image, ImageDraw

from glm_runtime.engine import EngineOptions
from glm_runtime.model_registry import ModelRegistry, bundled_models_folder
from glm_vision.tasks.mermaid import parse_mermaid
from glm_vision.vision_engine import load_engine
from recipes.nano_vision.export import config_json
from recipes.nano_vision.tokenizer import build
from tests.vision.scripted_model import finish, png, question

FOLDER = bundled_models_folder() / "nano-vision"


def test_the_folder_is_what_the_recipe_writes() -> None:
    assert json.loads((FOLDER / "config.json").read_text()) == config_json()
    assert (FOLDER / "tokenizer.json").read_text().strip() == build().to_str(pretty=True).strip()
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 8_000_000


def test_it_is_the_model_that_sees() -> None:
    registry = ModelRegistry(FOLDER / "no-registry.json")
    assert registry.default_of("vision") == "nano-vision"
    assert registry.default == "nano-code"


def test_every_task_is_answered() -> None:
    page = Image.new("RGB", (160, 120), "white")
    pen = ImageDraw.Draw(page)
    for top in (10, 70):
        pen.rectangle((20, top, 140, top + 35), "white", "black", 2)
        for left in (40, 52, 64, 76):
            pen.rectangle((left, top + 10, left + 7, top + 24), "black")
    engine = load_engine(EngineOptions(model="nano-vision", threads=1))
    try:
        assert engine.info.family == "vision"
        for task in ("read", "error", "ui", "diagram", "chart", "find", "describe"):
            text, end = finish(engine, question("a star", png(page), options={"task": task}))
            assert end.model == "nano-vision"
            assert end.report["task"] == task
            if task == "diagram":
                assert end.report["valid"] is True
                assert len(parse_mermaid(text).nodes) == 2
    finally:
        engine.close()
