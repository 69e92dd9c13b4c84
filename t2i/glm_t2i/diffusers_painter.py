"""Any diffusers pipeline as a painter: CogView3-Plus, CogView4, GLM-Image and others.

The pipeline's own code does the drawing; here is what its users stumble over: sizes that it
accepts, seeds, LoRA, progress, cancel, given pictures. Each picture is drawn with a generator of
its own on the CPU *and* the global generator seeded inside a fork, because some pipelines take
numbers from it (CogView4Control its control latent, GLM-Image its codes), so that the same seed
gives the same picture whatever ran before.

A given picture goes in as what the pipeline calls it: with a mask to inpaint, as a control picture,
or as a picture to start from. What lies outside of the region stays the user's own in any case.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError

from glm_protocol.errors import BadRequest, EngineFailed, PromptTooLong, Unsupported
from glm_protocol.folders import user_folders
from glm_t2i.painting import Painted, Painting, Strokes
from glm_t2i.picture_finish import put_into
from glm_t2i.pipeline_steps import counted
from glm_t2i.stepped_call import OnStep, SteppedCall

# class: (pixels that either side must divide by, least side, most pixels)
_SIZES = {
    "CogView3PlusPipeline": (32, 512, 1 << 21),
    "CogView4Pipeline": (32, 512, 1 << 21),
    "CogView4ControlPipeline": (32, 512, 1 << 21),
    "GlmImagePipeline": (32, 512, 1 << 22),
}
_OTHER_SIZES = (32, 512, 1 << 21)
_MOST_STEPS = 200
_BAD_ADAPTER = (
    OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError,
)  # fmt: skip
_LISTS_OF_PICTURES = frozenset({"GlmImagePipeline"})
_OTHER_READER = frozenset({"GlmImagePipeline"})  # its `tokenizer` reads quoted words alone


class DiffusersPainter:
    """`pipeline`: any object that is called as diffusers' pipelines are."""

    def __init__(self, pipeline: Any, *, device: str, dtype: str, notes: tuple[str, ...] = ()):
        self._pipeline = pipeline
        self._defaults = inspect.signature(pipeline.__call__).parameters
        self._takes = frozenset(self._defaults)
        self.device, self.dtype, self.notes = device, dtype, notes
        for part in self._parts():
            if isinstance(part, torch.nn.Module):
                part.eval()  # components made from a config are in training mode, dropout and all

    @property
    def architecture(self) -> str:
        return type(self._pipeline).__name__

    @property
    def memory_bytes(self) -> int:
        modules = (part for part in self._parts() if isinstance(part, torch.nn.Module))
        return sum(weight.nbytes for module in modules for weight in module.parameters())

    @property
    def context_length(self) -> int:
        return self._default("max_sequence_length", 512)

    def check(self, painting: Painting) -> None:
        if not painting.prompt.strip():
            raise BadRequest("The prompt is empty.", remedy="Say what the picture shows.")
        self._check_length(painting.prompt)
        if "control_image" in self._takes and painting.given is None:
            raise BadRequest(
                f"{self.architecture} follows a picture and there is none.",
                remedy="Give one: --change FILE.",
            )
        if painting.given is not None:
            self._given(painting, (64, 64))
        if "lora" in painting.options:
            self._lora_folder(painting.options["lora"])
        self._call_options(painting)

    def paint(self, painting: Painting) -> Strokes:
        result = yield from SteppedCall(lambda on_step: self._draw(painting, on_step)).run()
        if painting.given is not None and painting.region is not None:
            result = put_into(painting.given, result, painting.region)
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
        steps = options.get("num_inference_steps") or self._default("num_inference_steps", 50)
        try:
            with (
                self._with_lora(painting),
                counted(self._pipeline, self._takes, steps=steps, on_step=on_step) as more,
                torch.random.fork_rng(),
                torch.inference_mode(),
            ):
                torch.manual_seed(painting.seed % 2**63)
                if "generator" in self._takes:
                    more["generator"] = torch.Generator("cpu").manual_seed(painting.seed % 2**63)
                drawn = self._pipeline(**options, **more)
        except torch.OutOfMemoryError as error:
            raise EngineFailed(
                "There is no memory for this picture.", remedy="Ask for a smaller size."
            ) from error
        except BaseException:
            # given up in the middle: parts that came to the device would stay there
            getattr(self._pipeline, "maybe_free_model_hooks", lambda: None)()
            raise
        return self._sound(drawn)

    @contextmanager
    def _with_lora(self, painting: Painting) -> Iterator[None]:
        """The adapter that was asked for, and none behind it, whatever happens."""
        name = painting.options.get("lora")
        if name is None:
            yield
            return
        try:
            try:
                self._pipeline.load_lora_weights(
                    str(self._lora_folder(name)), adapter_name="asked", use_safetensors=True
                )
                strength = _number(painting.options, "lora_strength", 0, 4, 1)
                self._pipeline.set_adapters("asked", strength)
            except _BAD_ADAPTER as error:
                raise BadRequest(
                    f"The adapter {name[:60]!r} does not fit {self.architecture}: "
                    f"{str(error)[:200]}"
                ) from error
            yield
        finally:
            self._pipeline.unload_lora_weights()

    def _sound(self, drawn: Any) -> Image.Image:
        pictures = getattr(drawn, "images", None)
        if not pictures or not isinstance(pictures[0], Image.Image):
            raise Unsupported(f"{self.architecture} draws no pictures.")
        picture: Image.Image = pictures[0]
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
        if "strength" in asked:
            options["strength"] = _number(asked, "strength", 0, 1)
        if "negative" in asked:
            options["negative_prompt"] = asked["negative"]
        if painting.given is not None:
            options |= self._given(painting, (width, height))
        if "kwargs" in self._takes:
            return options
        refused = sorted(set(options) - self._takes - {"width", "height"})
        if refused:
            raise BadRequest(f"{self.architecture} does not take {', '.join(refused)}.")
        return {name: value for name, value in options.items() if name in self._takes}

    def _given(self, painting: Painting, size: tuple[int, int]) -> dict[str, Any]:
        """The picture under the names that the pipeline has for it. Raises Unsupported."""
        assert painting.given is not None
        picture = painting.given.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        if "mask_image" in self._takes and painting.region is not None:
            return {"image": picture, "mask_image": painting.region.convert("L").resize(size)}
        if "control_image" in self._takes:
            return {"control_image": picture}
        if "image" in self._takes:
            return {"image": [picture] if self.architecture in _LISTS_OF_PICTURES else picture}
        raise Unsupported(f"{self.architecture} cannot draw into a picture.")

    def _check_length(self, prompt: str) -> None:
        """Raises PromptTooLong: pipelines cut what is too long and go on."""
        tokenizer = getattr(self._pipeline, "tokenizer", None)
        if tokenizer is None or self.architecture in _OTHER_READER:
            return
        count = len(tokenizer(prompt, verbose=False).input_ids)
        if count > self.context_length:
            raise PromptTooLong(
                f"The prompt has {count} tokens; this model reads {self.context_length}.",
                remedy="Say it in fewer words.",
            )

    def _default(self, name: str, otherwise: int) -> int:
        found = self._defaults.get(name)
        return found.default if found and isinstance(found.default, int) else otherwise

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


def _number(
    options: Mapping[str, str], name: str, least: float, most: float, default: float = math.nan
) -> float:
    try:
        value = float(options[name]) if name in options else default
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise BadRequest(f"{name} is {options[name][:20]!r}; it may be {least} to {most}.")
    return value
