"""The adapter over the real diffusers, where it is installed: pipelines of random weights.

What is tried is what their users stumble over: seeds that other numbers move, cancels that leave
something behind, adapters that stay, sizes that die late, parts that fill the card.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("diffusers")

from glm_protocol.errors import BadRequest, PromptTooLong, Unsupported
from glm_runtime.model_family import family_of
from glm_t2i.diffusers_loading import placed, sound_format
from glm_t2i.diffusers_painter import DiffusersPainter
from glm_t2i.painter_loading import load_painter
from glm_t2i.painting import Painted, Painter, Painting, Step
from tests.t2i import tiny_pipelines

pytestmark = pytest.mark.filterwarnings("ignore")
FAMILY = {
    "CogView3PlusPipeline": tiny_pipelines.cogview3_plus,
    "CogView4Pipeline": tiny_pipelines.cogview4,
    "CogView4ControlPipeline": lambda: tiny_pipelines.cogview4(control=True),
    "GlmImagePipeline": tiny_pipelines.glm_image,
}
SKETCH = Image.radial_gradient("L").resize((64, 64)).convert("RGB")


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = dict.fromkeys(FAMILY, (32, 32, 1 << 21))
    monkeypatch.setattr("glm_t2i.diffusers_painter._SIZES", sizes)


def painter(build: Callable[[], Any]) -> DiffusersPainter:
    return DiffusersPainter(build(), device="cpu", dtype="float32")


def wanted(seed: int = 1, **fields: Any) -> Painting:
    options = {"steps": "2", **fields.pop("options", {})}
    return Painting(prompt="a cat", width=96, height=64, seed=seed, options=options, **fields)


def drawn(what: Painter, asked: Painting) -> tuple[list[Step], Image.Image]:
    strokes = list(what.paint(asked))
    assert isinstance(strokes[-1], Painted)
    return [stroke for stroke in strokes if isinstance(stroke, Step)], strokes[-1].picture


def given_to(name: str) -> dict[str, Any]:
    return {"given": SKETCH} if name == "CogView4ControlPipeline" else {}


@pytest.mark.parametrize("name", FAMILY)
def test_one_seed_is_one_picture_whatever_ran_before(name: str) -> None:
    """Control takes its latent from the global generator, GLM-Image seeds it anew."""
    model = painter(FAMILY[name])
    given = given_to(name)
    assert model.architecture == name
    steps, first = drawn(model, wanted(1, **given))
    torch.rand(7)
    before = torch.get_rng_state()
    assert drawn(model, wanted(1, **given))[1].tobytes() == first.tobytes()
    assert drawn(model, wanted(2, **given))[1].tobytes() != first.tobytes()
    assert torch.equal(before, torch.get_rng_state())
    assert first.size == (96, 64)
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].step == steps[-1].steps


def test_codes_of_glm_image_are_steps_too() -> None:
    """Six cells, a preview of four and the end, before two steps of denoising."""
    steps, _ = drawn(painter(tiny_pipelines.glm_image), wanted())
    assert [step.steps for step in steps] == [13] * 13


@pytest.mark.parametrize("name", FAMILY)
def test_cancel_leaves_nothing_behind(name: str) -> None:
    model = painter(FAMILY[name])
    given = given_to(name)
    whole = drawn(model, wanted(3, **given))[1]
    before = torch.get_rng_state()
    strokes = model.paint(wanted(4, **given))
    next(strokes)
    assert isinstance(strokes, Generator)
    strokes.close()
    assert torch.equal(before, torch.get_rng_state())
    assert drawn(model, wanted(3, **given))[1].tobytes() == whole.tobytes()


def test_folder_is_told_by_its_index_and_loads(tmp_path: Path) -> None:
    tiny_pipelines.cogview4().save_pretrained(tmp_path)
    assert family_of(tmp_path) == "image"
    model = load_painter(tmp_path, device="cpu", dtype="float32")
    assert model.architecture == "CogView4Pipeline"
    assert model.memory_bytes > 10_000
    own = painter(tiny_pipelines.cogview4)
    assert drawn(model, wanted())[1].tobytes() == drawn(own, wanted())[1].tobytes()


def test_lora_changes_the_picture_and_is_gone_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLM_LSP_HOME", str(tmp_path))
    model = painter(tiny_pipelines.cogview4)
    tiny_pipelines.write_lora(tiny_pipelines.cogview4(), tmp_path / "adapters" / "mine")
    with_lora = wanted(options={"lora": "mine"})
    plain = drawn(model, wanted())[1].tobytes()
    changed = drawn(model, with_lora)[1].tobytes()
    assert changed != plain
    assert drawn(model, wanted())[1].tobytes() == plain
    assert drawn(model, with_lora)[1].tobytes() == changed
    none = wanted(options={"lora": "mine", "lora_strength": "0"})
    assert drawn(model, none)[1].tobytes() == plain
    strokes = model.paint(with_lora)
    next(strokes)
    strokes.close()  # type: ignore[attr-defined]
    assert drawn(model, wanted())[1].tobytes() == plain


def test_lora_of_another_model_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLM_LSP_HOME", str(tmp_path))
    model = painter(tiny_pipelines.cogview4)
    plain = drawn(model, wanted())[1].tobytes()
    folder = tmp_path / "adapters" / "other"
    folder.mkdir(parents=True)
    (folder / "pytorch_lora_weights.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BadRequest, match="does not fit"):
        drawn(model, wanted(options={"lora": "other"}))
    assert drawn(model, wanted())[1].tobytes() == plain
    for name in ("missing", "../other", ".hidden"):
        with pytest.raises(BadRequest, match="no adapter"):
            model.check(wanted(options={"lora": name}))
    with pytest.raises(Unsupported, match="takes no LoRA"):
        painter(tiny_pipelines.cogview3_plus).check(wanted(options={"lora": "other"}))


def test_control_follows_the_picture_and_wants_one() -> None:
    model = painter(FAMILY["CogView4ControlPipeline"])
    with pytest.raises(BadRequest, match="follows a picture"):
        model.check(wanted())
    first = drawn(model, wanted(given=SKETCH))[1]
    other = drawn(model, wanted(given=SKETCH.rotate(180).point(lambda v: 255 - v)))[1]
    assert first.size == (96, 64)
    assert first.tobytes() != other.tobytes()


def test_what_a_pipeline_draws_stays_inside_the_region() -> None:
    given = SKETCH.resize((96, 64))
    region = Image.new("L", given.size)
    region.paste(255, (0, 0, 32, 32))
    asked = wanted(given=given, region=region)
    picture = drawn(painter(FAMILY["CogView4ControlPipeline"]), asked)[1]
    outside = np.asarray(region) == 0
    assert np.array_equal(np.asarray(picture)[outside], np.asarray(given)[outside])
    assert not np.array_equal(np.asarray(picture)[~outside], np.asarray(given)[~outside])
    with pytest.raises(Unsupported, match="cannot draw into"):
        painter(tiny_pipelines.cogview4).check(asked)


def test_long_prompts_are_refused_not_cut() -> None:
    model = painter(tiny_pipelines.cogview4)
    with pytest.raises(PromptTooLong, match="reads 1024"):
        model.check(Painting(prompt="cat " * 1100, width=64, height=64, seed=1))
    model.check(Painting(prompt="cat " * 1000, width=64, height=64, seed=1))


def test_numbers_that_overflow_are_not_used() -> None:
    for name in FAMILY:
        assert sound_format(name, torch.float16) == torch.float32
        assert sound_format(name, torch.bfloat16) == torch.bfloat16
    assert sound_format("StableDiffusionPipeline", torch.float16) == torch.float16


class Recorded:
    """Where the parts of a pipeline were asked to go."""

    def __init__(self, pipeline: Any) -> None:
        self.components, self.vae, self.asked = pipeline.components, pipeline.vae, list[str]()

    def to(self, device: torch.device) -> None:
        self.asked.append(f"to {device}")

    def enable_model_cpu_offload(self, *, device: torch.device) -> None:
        self.asked.append(f"parts {device}")

    def enable_sequential_cpu_offload(self, *, device: torch.device) -> None:
        self.asked.append(f"layers {device}")


def test_parts_wait_in_main_memory_where_the_card_is_small() -> None:
    pipeline = tiny_pipelines.cogview4()
    sizes = [
        sum(weight.nbytes for weight in part.parameters())
        for part in (pipeline.text_encoder, pipeline.transformer, pipeline.vae)
    ]
    card = torch.device("cuda")
    found = {}
    for name, device, budget in (
        ("roomy", card, sum(sizes) + 1),
        ("small", card, max(sizes) + 1),
        ("tiny", card, max(sizes) - 1),
        ("none", torch.device("cpu"), 1),
    ):
        recorded = Recorded(pipeline)
        notes = placed(recorded, device, budget)
        found[name] = (recorded.asked, len(notes))
    assert found == {
        "roomy": (["to cuda"], 0),
        "small": (["parts cuda"], 1),  # and never "to cuda" before it
        "tiny": (["layers cuda"], 1),
        "none": (["to cpu"], 0),
    }
    assert pipeline.vae.use_tiling


class Silent:
    """A pipeline as old ones are: no callback, no generator, other words let through."""

    def __init__(self) -> None:
        self.inner = tiny_pipelines.cogview4()
        self.components = self.inner.components

    def __call__(self, prompt: str, num_inference_steps: int = 2, **kwargs: Any) -> Any:
        return self.inner(prompt=prompt, num_inference_steps=num_inference_steps, **kwargs)


def test_steps_are_counted_where_nothing_calls_back() -> None:
    model = painter(Silent)
    steps, first = drawn(model, wanted(options={"guidance": "1"}))
    assert [step.step for step in steps] == [1, 2]
    assert drawn(model, wanted(options={"guidance": "1"}))[1].tobytes() == first.tobytes()
