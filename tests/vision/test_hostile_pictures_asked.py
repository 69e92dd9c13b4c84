"""Pictures that were made to hurt, asked about through the engine: told, and the next one works."""

from __future__ import annotations

import psutil  # type: ignore[import-untyped]
import pytest

from glm_protocol.errors import BadRequest
from glm_vision.image_intake import ImageIntake
from glm_vision.vision_engine import VisionEngine
from tests.vision.hostile_pictures import encode, handled, png, refused, sample
from tests.vision.scripted_model import ScriptedModel, finish, question
from tests.vision.test_vision_engine import INFO

GROWTH = 50 << 20  # bytes of the engine's own process


def test_every_bad_picture_is_told_and_harms_nobody() -> None:
    good = encode(sample(), "PNG")
    pictures = dict(refused())
    model = ScriptedModel(*["fine"] * (len(pictures) + 1))
    with ImageIntake() as intake:
        engine = VisionEngine(model, INFO, intake=intake)
        assert finish(engine, question("?", good))[0] == "fine"
        before = psutil.Process().memory_info().rss
        for name, data in pictures.items():
            if not data:
                continue  # the wire's own bound refuses an empty picture
            with pytest.raises(BadRequest) as told:
                finish(engine, question("?", data))
            assert told.value.message, name
            assert finish(engine, question("?", good))[0] == "fine", name
        assert psutil.Process().memory_info().rss - before < GROWTH


def test_odd_and_honest_pictures_are_seen() -> None:
    pictures = list(handled())
    model = ScriptedModel(*["seen"] * len(pictures))
    with ImageIntake() as intake:
        engine = VisionEngine(model, INFO, intake=intake)
        for name, data, size in pictures:
            text, _ = finish(engine, question("?", data))
            assert text == "seen", name
            shown = model.asked[-1][0].pictures[0]
            assert (shown.mode, shown.size) == ("RGB", size), name


def test_a_picture_of_thirty_thousand_pixels_is_told() -> None:
    with ImageIntake() as intake:
        engine = VisionEngine(ScriptedModel(), INFO, intake=intake)
        with pytest.raises(BadRequest, match="30000"):
            finish(engine, question("?", png(30_000, 4)))
