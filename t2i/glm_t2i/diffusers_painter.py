"""Any diffusers pipeline as a painter: CogView3-Plus, CogView4, GLM-Image and others.

The pipeline's own code does the drawing; here is what its users stumble over: sizes that it
accepts, number formats that give black pictures, memory, seeds, progress, cancel. Each picture is
drawn with a generator of its own on the CPU *and* the global generator seeded inside a fork,
because some pipelines take numbers from it (CogView4Control its control latent, GLM-Image its
codes), so that the same seed gives the same picture whatever ran before.

Needs the extra `diffusers`. Nothing is fetched, and no code of the model's folder is run.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from glm_protocol.errors import BadRequest, EngineFailed, ModelUnusable, Unsupported
from glm_protocol.folders import user_folders
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_t2i.painting import Painted, Painting, Strokes
from glm_t2i.stepped_call import OnStep, SteppedCall

# class: (pixels that either side must divide by, least side, most pixels)
_SIZES = {
    "CogView3PlusPipeline": (32, 512, 1 << 21),
    "CogView4Pipeline": (32, 512, 1 << 21),
    "CogView4ControlPipeline": (32, 512, 1 << 21),
    "GlmImagePipeline": (32, 512, 1 << 22),
}
_OTHER_SIZES = (32, 512, 1 << 21)
_NO_FLOAT16 = ("CogView", "GlmImage")  # published: NaN or black pictures
_MOST_STEPS = 200


class DiffusersPainter:
    """`pipeline`: any object that is called as diffusers' pipelines are."""

    def __init__(self, pipeline: Any, *, device: str, dtype: str, notes: tuple[str, ...] = ()):
        self._pipeline = pipeline
        self._takes = frozenset(inspect.signature(pipeline.__call__).parameters)
        self.device, self.dtype, self.notes = device, dtype, notes

    @property
    def architecture(self) -> str:
        return type(self._pipeline).__name__

    @property
    def memory_bytes(self) -> int:
        modules = (part for part in self._parts() if isinstance(part, torch.nn.Module))
        return sum(weight.nbytes for module in modules for weight in module.parameters())

    @property
    def context_length(self) -> int:
        default = inspect.signature(self._pipeline.__call__).parameters.get("max_sequence_length")
        return default.default if default and isinstance(default.default, int) else 512

    def check(self, painting: Painting) -> None:
        if not painting.prompt.strip():
            raise BadRequest("The prompt is empty.", remedy="Say what the picture shows.")
        if painting.given is not None and not {"image", "mask_image"} <= self._takes:
            raise Unsupported(f"{self.architecture} cannot draw into a picture.")
        if "lora" in painting.options:
            self._lora_folder(painting.options["lora"])
        self._call_options(painting)

    def paint(self, painting: Painting) -> Strokes:
        result = yield from SteppedCall(lambda on_step: self._draw(painting, on_step)).run()
        yield Painted(picture=result)

    def drawn_size(self, width: int, height: int) -> tuple[int, int]:
        """The smallest size that the pipeline takes, no smaller and of about the same ratio."""
        multiple, least, most = _SIZES.get(self.architecture, _OTHER_SIZES)
        scale = max(1.0, least / min(width, height))
        scale = min(scale, math.sqrt(most / (width * height)))
        sides = [multiple * math.ceil(side * scale / multiple) for side in (width, height)]
        largest = multiple * (most // least // multiple)
        sides = [min(max(side, multiple), largest) for side in sides]
        while sides[0] * sides[1] > most:
            sides[sides.index(max(sides))] -= multiple
        return sides[0], sides[1]

    def _draw(self, painting: Painting, on_step: OnStep) -> Image.Image:
        options = self._call_options(painting)
        steps = options.get("num_inference_steps") or self._default_steps()

        def after_step(_: Any, step: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            on_step(step + 1, max(steps, step + 1))
            return tensors

        if "callback_on_step_end" in self._takes:
            options["callback_on_step_end"] = after_step
        name = painting.options.get("lora")
        if name is not None:
            self._pipeline.load_lora_weights(str(self._lora_folder(name)))
        try:
            with torch.random.fork_rng(), torch.inference_mode():
                torch.manual_seed(painting.seed % 2**63)
                options["generator"] = torch.Generator("cpu").manual_seed(painting.seed % 2**63)
                picture = self._pipeline(**options).images[0]
        except torch.OutOfMemoryError as error:
            raise EngineFailed(
                "There is no memory for this picture.", remedy="Ask for a smaller size."
            ) from error
        finally:
            if name is not None:
                self._pipeline.unload_lora_weights()
        return self._sound(picture)

    def _sound(self, picture: Image.Image) -> Image.Image:
        if picture.convert("L").getextrema() == (0, 0):
            raise EngineFailed(
                "The picture is black: the model overflowed.",
                remedy="Load it with --dtype float32.",
            )
        return picture

    def _call_options(self, painting: Painting) -> dict[str, Any]:
        """What the pipeline is called with. Raises BadRequest."""
        width, height = self.drawn_size(painting.width, painting.height)
        asked = painting.options
        options: dict[str, Any] = {
            "prompt": painting.prompt, "width": width, "height": height, "output_type": "pil"
        }  # fmt: skip
        if "steps" in asked:
            options["num_inference_steps"] = int(_number(asked, "steps", 1, _MOST_STEPS))
        if "guidance" in asked:
            options["guidance_scale"] = _number(asked, "guidance", 0, 50)
        if "negative" in asked:
            options["negative_prompt"] = asked["negative"]
        if painting.given is not None and painting.region is not None:
            options["image"] = painting.given.convert("RGB").resize((width, height))
            options["mask_image"] = painting.region.convert("L").resize((width, height))
        refused = sorted(set(options) - self._takes)
        if refused and not self._takes & {"kwargs"}:
            raise BadRequest(f"{self.architecture} does not take {', '.join(refused)}.")
        return options

    def _default_steps(self) -> int:
        found = inspect.signature(self._pipeline.__call__).parameters.get("num_inference_steps")
        return found.default if found and isinstance(found.default, int) else 50

    def _lora_folder(self, name: str) -> Path:
        """An adapter of the user's. Raises BadRequest, Unsupported."""
        if not hasattr(self._pipeline, "load_lora_weights"):
            raise Unsupported(f"{self.architecture} takes no LoRA.")
        folder = user_folders().home / "adapters" / name
        if "/" in name or name.startswith(".") or not folder.is_dir():
            raise BadRequest(f"There is no adapter {name[:60]!r}.")
        return folder

    def _parts(self) -> list[Any]:
        return list(getattr(self._pipeline, "components", {}).values())


def load_diffusers_painter(
    folder: Path, *, device: str | None = None, dtype: str | None = None
) -> DiffusersPainter:
    """Raises Unsupported without the extra, ModelUnusable on a folder that does not load."""
    name = _class_name(folder)
    placement = choose_placement(device=device, dtype=dtype, accelerator=TorchAccelerator())
    number_format = placement.dtype
    if number_format == torch.float16 and name.startswith(_NO_FLOAT16):
        number_format = torch.float32  # bfloat16 was not to be had
    library = _diffusers()
    if not hasattr(library, name):
        raise Unsupported(f"This diffusers has no {name}.", remedy="Install a newer one.")
    try:
        pipeline = getattr(library, name).from_pretrained(
            str(folder), torch_dtype=number_format, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        raise ModelUnusable(f"{folder} does not load: {str(error)[:300]}") from error
    notes = _placed(pipeline, placement.device, placement.memory_budget_bytes)
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()  # components made from a config are in training mode, dropout and all
    said = str(number_format).removeprefix("torch.")
    return DiffusersPainter(pipeline, device=placement.kind, dtype=said, notes=notes)


def _placed(pipeline: Any, device: torch.device, budget: int) -> tuple[str, ...]:
    """Onto the device whole, or part by part where memory is short."""
    modules = [p for p in pipeline.components.values() if isinstance(p, torch.nn.Module)]
    size = sum(weight.nbytes for module in modules for weight in module.parameters())
    if device.type == "cpu" or size < budget:
        pipeline.to(device)
        return ()
    offload: Callable[..., None] = pipeline.enable_model_cpu_offload
    offload(device=device)
    if hasattr(getattr(pipeline, "vae", None), "enable_tiling"):
        pipeline.vae.enable_tiling()
    return (f"{size >> 20} MB of weights wait in main memory and come to {device.type} in turn.",)


def _class_name(folder: Path) -> str:
    try:
        index = json.loads((folder / "model_index.json").read_bytes())
        name = index["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnusable(f"{folder}/model_index.json cannot be read.") from error
    if not isinstance(name, str) or not name.isidentifier() or not name.endswith("Pipeline"):
        raise ModelUnusable(f"{folder}/model_index.json names no pipeline.")
    return name


def _diffusers() -> Any:
    try:
        return importlib.import_module("diffusers")
    except ImportError as error:
        raise Unsupported(
            "This model needs the package diffusers.",
            remedy="Install it: pip install 'glm-lsp[diffusers]'",
        ) from error


def _number(options: Any, name: str, least: float, most: float) -> float:
    try:
        value = float(options[name])
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise BadRequest(f"{name} is {options[name][:20]!r}; it may be {least} to {most}.")
    return value
