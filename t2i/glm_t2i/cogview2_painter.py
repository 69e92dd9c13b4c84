"""CogView2 as a painter: text to 480 x 480 pixels in three stages, or a region drawn anew.

    coglm/, direct_sr/, iterative_sr/, hvqvae/   each config.json and model.safetensors
    cluster_label.npy                            the codes' clusters, part of the model
    *.model                                      icetk's sentencepiece model

Option `style`: one of `pipelines.cogview2.STYLES` ("mainbody" if not said, as released).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from glm_protocol.errors import BadRequest, ModelUnusable
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.weight_files import weight_files
from glm_t2i.models.coglm import CogLM
from glm_t2i.models.hvqvae import HvqVae
from glm_t2i.models.loading import PictureModel, load_model
from glm_t2i.models.super_resolution import DirectSuperResolution, IterativeSuperResolution
from glm_t2i.painting import Painted, Painting, Step, Strokes
from glm_t2i.pipelines.cogview2 import STYLES, Choosers, CogView2, Style
from glm_t2i.pipelines.region_infill import Box, infill_picture
from glm_t2i.pipelines.text_pieces import TextPieces
from glm_t2i.stepped_call import OnStep, SteppedCall

PASSES = 6  # of the refinement
_STRIDE = 8  # pixels per code
_MOST_CLUSTERS_BYTES = 1 << 22
_DEFAULT_STYLE = "mainbody"


class CogView2Painter:
    """`text_ids`: from words to icetk's ids."""

    notes: tuple[str, ...] = ()
    architecture = "CogView2"
    context_length = 111

    def __init__(
        self, models: CogView2, labels_V: torch.Tensor, text_ids: Callable[[str], list[int]]
    ) -> None:
        self._models, self._labels_V, self._text_ids = models, labels_V, text_ids
        weight = next(models.base.parameters())
        self.device = weight.device.type
        self.dtype = str(weight.dtype).removeprefix("torch.")

    @property
    def memory_bytes(self) -> int:
        models = self._models
        parts = (models.base, models.direct, models.iterative, models.tokenizer)
        return sum(weight.nbytes for part in parts for weight in part.parameters())

    def check(self, painting: Painting) -> None:
        if not painting.prompt.strip():
            raise BadRequest("The prompt is empty.", remedy="Say what the picture shows.")
        _style(painting)
        if painting.region is not None:
            _box(painting.region)

    def paint(self, painting: Painting) -> Strokes:
        call = SteppedCall(lambda on_step: self._draw(painting, on_step))
        before, last = 0, Step(step=0, steps=0)
        for step in call.run():
            if step.step <= last.step:  # the refinement counts from 1 again
                before = last.steps
            last = step
            yield Step(
                step=before + step.step, steps=before + step.steps + (0 if before else PASSES)
            )
        pixels_3HW = call.result
        drawn = Image.fromarray(
            (pixels_3HW * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        )
        if painting.given is not None:
            drawn = drawn.resize(painting.given.size, Image.Resampling.LANCZOS)
        yield Painted(picture=drawn)

    def _draw(self, painting: Painting, on_step: OnStep) -> torch.Tensor:
        style = _style(painting)
        generator = torch.Generator().manual_seed(painting.seed % 2**63)
        choosers = Choosers.released(self._labels_V, generator, style)
        ids = self._text_ids(painting.prompt + style.suffix)
        with torch.inference_mode():
            if painting.given is None or painting.region is None:
                return self._models.draw(ids, choosers=choosers, on_step=on_step)[0].float()
            edge = self._models.direct.config.fine_edge * _STRIDE
            square = painting.given.convert("RGB").resize((edge, edge), Image.Resampling.LANCZOS)
            pixels_3HW = torch.from_numpy(np.array(square)).permute(2, 0, 1).float() / 255
            box = _box(painting.region)
            return infill_picture(
                self._models, ids, pixels_3HW, box, choosers=choosers, on_step=on_step
            )[0].float()


def load_cogview2_painter(
    folder: Path, *, device: str | None = None, dtype: str | None = None
) -> CogView2Painter:
    """Raises ModelUnusable, Unsupported (no sentencepiece), BadRequest."""
    placement = choose_placement(device=device, dtype=dtype, accelerator=TorchAccelerator())

    def part(name: str) -> PictureModel:
        place = folder / name
        return load_model(
            weight_files(place), place / "config.json", device=placement.device,
            dtype=placement.dtype,
        )  # fmt: skip

    base, direct, iterative, tokenizer = map(part, ("coglm", "direct_sr", "iterative_sr", "hvqvae"))
    if not (
        isinstance(base, CogLM)
        and isinstance(direct, DirectSuperResolution)
        and isinstance(iterative, IterativeSuperResolution)
        and isinstance(tokenizer, HvqVae)
    ):
        raise ModelUnusable(f"The parts of {folder} are not those of CogView2.")
    models = CogView2(base=base, direct=direct, iterative=iterative, tokenizer=tokenizer)
    pieces = sorted(folder.glob("*.model"))
    if not pieces:
        raise ModelUnusable(f"There is no text tokenizer in {folder}.")
    text = TextPieces(pieces[0], first_id=models.ids.image_tokens)
    return CogView2Painter(models, _labels(folder / "cluster_label.npy"), text.encode)


def _labels(file: Path) -> torch.Tensor:
    try:
        if file.stat().st_size > _MOST_CLUSTERS_BYTES:
            raise ModelUnusable(f"{file} is too large.")
        return torch.from_numpy(np.load(file, allow_pickle=False).astype(np.int64))
    except (OSError, ValueError) as error:
        raise ModelUnusable(
            f"{file} cannot be read.", remedy="It is published with CogView2's code."
        ) from error


def _style(painting: Painting) -> Style:
    name = painting.options.get("style", _DEFAULT_STYLE)
    if name not in STYLES:
        raise BadRequest(f"There is no style {name[:30]!r}; there are {', '.join(STYLES)}.")
    return STYLES[name]


def _box(region: Image.Image) -> Box:
    """The rectangle around what is white. Raises BadRequest on nothing, and on everything."""
    found = region.convert("L").point(lambda value: 255 * (value > 127)).getbbox()
    if found is None or found == (0, 0, *region.size):
        raise BadRequest("The mask has to leave a part of the picture and mark another.")
    left, top, right, bottom = found
    width, height = region.size
    return Box(top=top / height, left=left / width, bottom=bottom / height, right=right / width)
