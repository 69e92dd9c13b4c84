"""The picture engine over a tiny CogView: exact size, same bytes, cancel, order, refusals."""

from __future__ import annotations

import base64
import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glm_protocol.answers import Chunk, FinishReason
from glm_protocol.chat import ChatMessage, ChatRequest, Role
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import BadRequest, ModelUnusable, PromptTooLong, Unsupported
from glm_t2i.image_engine import ImageEngine
from glm_t2i.models.loading import load_model
from glm_t2i.painter_loading import load_painter
from glm_t2i.png_file import recipe_of
from tests.t2i.tiny_folder import SIDE, write_tiny_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_folder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def engine(folder: Path) -> ImageEngine:
    return ImageEngine(load_painter(folder), model="tiny")


def wanted(number: int = 1, **fields: object) -> DrawRequest:
    values = {"prompt": "a red circle", "seed": 5, "options": {"best_of": "1"}, **fields}
    return DrawRequest(id=f"r{number}", document=f"d{number}", **values)  # type: ignore[arg-type]


def ran(engine: ImageEngine, *requests: DrawRequest) -> list[tuple[str, Chunk]]:
    for request in requests:
        engine.submit(request)
    came = []
    while engine.busy:
        came += engine.step()
    return came  # type: ignore[return-value]


def pictures(chunks: list[tuple[str, Chunk]]) -> list[Image.Image]:
    files = [base64.b64decode(chunk.image) for _, chunk in chunks if chunk.image]
    return [Image.open(io.BytesIO(file)) for file in files]


@pytest.mark.parametrize("size", [(128, 128), (1, 1), (31, 77), (500, 3)])
def test_size_is_exact(engine: ImageEngine, size: tuple[int, int]) -> None:
    (picture,) = pictures(ran(engine, wanted(width=size[0], height=size[1])))
    assert picture.size == size
    assert picture.mode == "RGB"


def test_same_seed_same_bytes_whoever_draws_between(engine: ImageEngine, folder: Path) -> None:
    first = ran(engine, wanted(1))[-2][1].image
    ran(engine, wanted(2, prompt="blue square", seed=9))
    again = ran(ImageEngine(load_painter(folder), model="tiny"), wanted(3))[-2][1].image
    other = ran(engine, wanted(4, seed=6))[-2][1].image
    assert first == again
    assert first != other


def test_candidates_are_those_of_their_own_seeds_best_first(engine: ImageEngine) -> None:
    chunks = ran(engine, wanted(1, count=3, seed=20))
    end = chunks[-1][1].end
    assert end is not None
    scores = end.report["scores"]
    assert sorted(end.report["seeds"]) == [20, 21, 22]
    assert scores == sorted(scores, reverse=True)
    assert end.report["score"] == scores[0]
    alone = ran(engine, wanted(2, seed=end.report["seeds"][0]))
    assert alone[-2][1].image == chunks[-4][1].image


def test_progress_ends_at_all_steps_and_recipe_is_inside(engine: ImageEngine) -> None:
    chunks = ran(engine, wanted(count=2, transparent=True))
    steps = [chunk.progress for _, chunk in chunks if chunk.progress]
    assert steps[-1].step == steps[-1].steps == 2 * 64
    assert all(a.step < b.step for a, b in pairwise(steps))
    recipe = recipe_of(pictures(chunks)[0])
    assert recipe is not None
    assert recipe["prompt"] == "a red circle"
    assert recipe["seed"] in (5, 6)
    assert recipe["model"] == "tiny"


def test_cancel_in_the_middle_frees_the_engine(engine: ImageEngine) -> None:
    engine.submit(wanted(1))
    for _ in range(5):
        engine.step()
    engine.cancel("r1")
    assert not engine.busy
    assert ran(engine, wanted(2))[-1][1].end is not None


def test_newer_request_of_a_document_takes_its_place(engine: ImageEngine) -> None:
    engine.submit(wanted(1))
    engine.step()
    newer = DrawRequest(id="n", document="d1", prompt="a blue circle", seed=1)
    came = ran(engine, newer)
    ends = {key: chunk.end.finish for key, chunk in came if chunk.end is not None}
    assert ends == {"r1": FinishReason.SUPERSEDED, "n": FinishReason.STOP}


def test_deadline_ends_without_a_picture(folder: Path) -> None:
    now = [0.0]
    engine = ImageEngine(load_painter(folder), model="tiny", clock=lambda: now[0])
    engine.submit(wanted(1, deadline_ms=50))
    engine.step()
    now[0] = 1.0
    ((_, chunk),) = engine.step()
    assert isinstance(chunk, Chunk)
    assert chunk.end is not None
    assert chunk.end.finish is FinishReason.DEADLINE


def test_only_the_region_changes(engine: ImageEngine) -> None:
    given = Image.effect_noise((SIDE, SIDE), 80).convert("RGB")
    mask = Image.new("L", given.size)
    mask.paste(255, (16, 16, 40, 40))
    request = wanted(image=encoded(given), mask=encoded(mask), width=SIDE, height=SIDE)
    (picture,) = pictures(ran(engine, request))
    before, after, region = (np.asarray(image) for image in (given, picture, mask))
    assert np.array_equal(before[region == 0], after[region == 0])
    assert not np.array_equal(before[region > 0], after[region > 0])


def test_box_is_a_region_and_the_size_may_be_the_pictures(engine: ImageEngine) -> None:
    given = Image.effect_noise((90, 70), 80).convert("RGB")
    request = wanted(image=encoded(given), options={"box": "10,20,30,40", "size": "given"})
    chunks = ran(engine, request)
    (picture,) = pictures(chunks)
    before, after = np.asarray(given).copy(), np.asarray(picture).copy()
    assert not np.array_equal(before[20:60, 10:40], after[20:60, 10:40])
    before[20:60, 10:40] = after[20:60, 10:40] = 0
    assert np.array_equal(before, after)
    end = chunks[-1][1].end
    assert end is not None
    assert (end.report["width"], end.report["height"]) == (90, 70)


def test_previews_show_more_and_more_of_the_picture(engine: ImageEngine) -> None:
    plain = ran(engine, wanted(1))
    chunks = ran(engine, wanted(2, previews=3))
    steps = [chunk.progress for _, chunk in chunks if chunk.progress and chunk.progress.preview]
    assert [step.step for step in steps] == [16, 32, 48]
    seen = [Image.open(io.BytesIO(base64.b64decode(step.preview))) for step in steps]
    assert all(picture.size == (SIDE, SIDE) for picture in seen)
    assert len({picture.tobytes() for picture in seen}) == 3
    assert plain[-2][1].image == chunks[-2][1].image  # and it is the same picture


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"options": {"box": "0,0,9,9"}}, BadRequest),
        ({"options": {"size": "given"}}, BadRequest),
        ({"prompt": "  "}, BadRequest),
        ({"prompt": "a " * 500}, PromptTooLong),
        ({"options": {"best_of": "x"}}, BadRequest),
        ({"options": {"guidance": "nan"}}, BadRequest),
        ({"options": {"palette": "red"}}, BadRequest),
        ({"mask": "aGk="}, BadRequest),
        ({"image": "aGk="}, BadRequest),
        ({"adapter": "mine"}, Unsupported),
        ({"seed": 2**53 - 1, "count": 2}, BadRequest),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(
    engine: ImageEngine, fields: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        engine.submit(wanted(**fields))
    assert not engine.busy


def test_other_kinds_are_refused(engine: ImageEngine) -> None:
    chat = ChatRequest(id="c", document="c", messages=(ChatMessage(role=Role.USER, text="hi"),))
    with pytest.raises(Unsupported):
        engine.submit(chat)


def test_palette_holds_every_pixel(engine: ImageEngine) -> None:
    request = wanted(options={"palette": "#112233,#ffeedd", "best_of": "1"})
    (picture,) = pictures(ran(engine, request))
    colours = {colour for _, colour in picture.getcolors(1 << 20) or []}
    assert len(colours) <= 3
    assert colours & {(0x11, 0x22, 0x33), (0xFF, 0xEE, 0xDD)}


def test_eight_bits_come_back_within_half_a_step(folder: Path, tmp_path: Path) -> None:
    plain = write_tiny_folder(tmp_path / "plain", bits=16)
    stored = load_model(folder / "model.safetensors", folder / "config.json").state_dict()
    exact = load_model(plain / "model.safetensors", plain / "config.json").state_dict()
    for name, tensor in exact.items():
        assert float((stored[name].float() - tensor).abs().max()) <= float(tensor.abs().max()) / 250


def test_folder_without_tokenizer_is_named(tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "bare")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelUnusable, match="text tokenizer"):
        load_painter(folder)


def encoded(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()
