"""Painters that are one blocking call: stepped, cancelled, seeded, sized; diffusers if there."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from glm_protocol.errors import BadRequest, EngineFailed, ModelUnusable, Unsupported
from glm_t2i.cogview2_painter import CogView2Painter
from glm_t2i.diffusers_loading import load_diffusers_painter
from glm_t2i.diffusers_painter import DiffusersPainter
from glm_t2i.painting import Painted, Painting, Step
from glm_t2i.stepped_call import OnStep, SteppedCall
from tests.t2i.tiny_networks import CODES, cogview2


def painting(**fields: Any) -> Painting:
    return Painting(**{"prompt": "a cat", "width": 64, "height": 64, "seed": 3, **fields})


class Pipeline:
    """Called as diffusers' pipelines are; takes numbers from the global generator too."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}
        self.steps = 0

    def __call__(
        self, prompt: str, height: int, width: int, num_inference_steps: int = 4,
        guidance_scale: float = 1.0, generator: Any = None, output_type: str = "pil",
        callback_on_step_end: Any = None,
    ) -> Any:  # fmt: skip
        own = torch.rand(3, 8, 8, generator=generator)
        noise = own + torch.rand(3, 8, 8)
        for step in range(num_inference_steps):
            self.steps += 1
            callback_on_step_end(self, step, 0, {})
        pixels = (noise / 2 * 255).to(torch.uint8).permute(1, 2, 0).numpy()
        return SimpleNamespace(images=[Image.fromarray(pixels).resize((width, height))])


def painter(pipeline: Any = None) -> DiffusersPainter:
    return DiffusersPainter(pipeline or Pipeline(), device="cpu", dtype="float32")


def drawn(what: Any, asked: Painting) -> tuple[list[Step], Image.Image]:
    strokes = list(what.paint(asked))
    assert isinstance(strokes[-1], Painted)
    return strokes[:-1], strokes[-1].picture


def test_call_runs_only_while_it_is_asked() -> None:
    done = []

    def call(on_step: OnStep) -> str:
        for step in range(3):
            done.append(step)
            on_step(step + 1, 3)
        return "end"

    running = SteppedCall(call)
    steps = running.run()
    assert next(steps) == Step(step=1, steps=3)
    assert done == [0]
    assert [step.step for step in steps] == [2, 3]
    assert running.result == "end"


def test_closing_ends_the_thread_and_errors_come_out() -> None:
    before = threading.active_count()

    def call(on_step: OnStep) -> None:
        while True:
            on_step(1, 9)

    steps = SteppedCall(call).run()
    next(steps)
    steps.close()
    assert threading.active_count() == before

    def fails(on_step: OnStep) -> None:
        on_step(1, 2)
        raise EngineFailed("no")

    with pytest.raises(EngineFailed):
        list(SteppedCall(fails).run())


def test_same_seed_same_picture_whatever_was_drawn_before() -> None:
    steps, first = drawn(painter(), painting())
    torch.rand(5)
    state = torch.get_rng_state()
    again = drawn(painter(), painting())[1]
    other = drawn(painter(), painting(seed=4))[1]
    assert [step.step for step in steps] == [1, 2, 3, 4]
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    assert torch.equal(state, torch.get_rng_state())


def test_cancel_stops_the_pipeline() -> None:
    pipeline = Pipeline()
    strokes = painter(pipeline).paint(painting(options={"steps": "100"}))
    next(strokes)
    assert isinstance(strokes, Generator)
    strokes.close()
    assert pipeline.steps <= 2


@pytest.mark.parametrize("size", [(64, 64), (1200, 630), (4096, 1), (4096, 4096), (1920, 1080)])
def test_drawn_size_is_legal_and_near(size: tuple[int, int]) -> None:
    width, height = painter().drawn_size(*size)
    assert width % 32 == height % 32 == 0
    assert 0 < width * height <= 1 << 21
    if max(size) < 8 * min(size):
        assert width / height == pytest.approx(size[0] / size[1], rel=0.12)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"options": {"steps": "0"}}, BadRequest),
        ({"options": {"guidance": "x"}}, BadRequest),
        ({"options": {"negative": "y"}}, BadRequest),
        ({"options": {"lora": "z"}}, Unsupported),
        ({"prompt": ""}, BadRequest),
        ({"given": Image.new("RGB", (4, 4)), "region": Image.new("L", (4, 4))}, Unsupported),
    ],
)
def test_what_a_pipeline_does_not_take_is_refused(fields: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        painter().check(painting(**fields))


def test_black_picture_is_an_error() -> None:
    class Black(Pipeline):
        def __call__(self, *args: Any, **more: Any) -> Any:
            return SimpleNamespace(images=[Image.new("RGB", (8, 8))])

    black = Black()
    made = DiffusersPainter(Pipeline(), device="cpu", dtype="float16")
    made._pipeline = black
    with pytest.raises(EngineFailed, match="black"):
        drawn(made, painting())


def test_folder_that_names_no_pipeline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "os.system"}')
    with pytest.raises(ModelUnusable):
        load_diffusers_painter(tmp_path)


def test_cogview2_draws_in_steps_and_a_region_alone() -> None:
    models = cogview2()
    labels = torch.arange(CODES) % 5
    made = CogView2Painter(models, labels, lambda text: [45, 46][: len(text)])
    steps, picture = drawn(made, painting())
    assert steps[-1].step == steps[-1].steps
    assert drawn(made, painting())[1].tobytes() == picture.tobytes()
    region = Image.new("L", picture.size)
    region.paste(255, (0, 0, picture.width // 2, picture.height // 2))
    changed = drawn(made, painting(given=picture, region=region))[1]
    assert changed.size == picture.size
    assert changed.tobytes() != picture.tobytes()
    with pytest.raises(BadRequest):
        made.check(painting(options={"style": "cubist"}))
    with pytest.raises(BadRequest):
        made.check(painting(given=picture, region=Image.new("L", picture.size)))
