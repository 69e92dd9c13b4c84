"""Which painter a model's folder asks for, told by its files: never by its name.

model_index.json                                   a diffusers pipeline (`diffusers_loading`)
coglm/, direct_sr/, iterative_sr/, hvqvae/         CogView2 (`cogview2_painter`)
config.json and weights of CogView, vqvae/         CogView, also the bundled nano-image
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer

from glm_protocol.errors import ModelUnusable
from glm_runtime.device import Placement, TorchAccelerator, choose_placement
from glm_runtime.weight_files import weight_files
from glm_t2i.cogview_painter import CogViewPainter, DrawingHabits
from glm_t2i.models.cogview import CogView
from glm_t2i.models.config_file import ConfigFile, read_config_file
from glm_t2i.models.loading import PictureModel, load_model
from glm_t2i.models.vqvae import VqVae
from glm_t2i.nano_layout import NanoLayout
from glm_t2i.painting import Painter
from glm_t2i.pipelines.text_pieces import TextPieces
from glm_t2i.pipelines.vocabulary import CogViewIds

_OTHER_GPTS = ("caption", "super_resolution")
RELEASED_TEXT = 64  # text ids of CogView's training rows


def load_painter(folder: Path, *, device: str | None = None, dtype: str | None = None) -> Painter:
    """Raises ModelUnusable, Unsupported, BadRequest."""
    if (folder / "model_index.json").is_file():
        from glm_t2i.diffusers_loading import load_diffusers_painter

        return load_diffusers_painter(folder, device=device, dtype=dtype)
    if (folder / "coglm").is_dir():
        from glm_t2i.cogview2_painter import load_cogview2_painter

        return load_cogview2_painter(folder, device=device, dtype=dtype)
    return load_cogview_painter(folder, device=device, dtype=dtype)


def load_cogview_painter(
    folder: Path, *, device: str | None = None, dtype: str | None = None
) -> CogViewPainter:
    """A folder laid out as at the head of `cogview_painter`. It computes on the CPU unless a
    device is named: a small model is done before a card has woken."""
    placement = choose_placement(
        device=device or "cpu", dtype=dtype or "float32", accelerator=TorchAccelerator()
    )
    fields = read_config_file(folder / "config.json")
    model = _part(folder, placement.device, placement.dtype)
    if not isinstance(model, CogView):
        raise ModelUnusable(f"{folder} holds {type(model).__name__}, which draws nothing alone.")
    vqvae = _part(folder / "vqvae", placement.device, placement.dtype)
    if not isinstance(vqvae, VqVae):
        raise ModelUnusable(f"{folder / 'vqvae'} holds no VQ-VAE.")
    layout = _layout(fields, vqvae)
    if layout.positions > model.config.max_sequence_length:
        raise fields.wrong("max_sequence_length", f"at least {layout.positions}")
    other = {name: _other_gpt(folder / name, model, placement) for name in _OTHER_GPTS}
    return CogViewPainter(
        model, vqvae, layout, _pieces(folder), _habits(fields),
        ranker=other["caption"], enlarger=other["super_resolution"],
    )  # fmt: skip


def _other_gpt(folder: Path, model: CogView, placement: Placement) -> CogView | None:
    """One of the released three, where its folder is there. Raises ModelUnusable."""
    if not folder.is_dir():
        return None
    found = _part(folder, placement.device, placement.dtype)
    if not isinstance(found, CogView) or (
        found.config.num_image_tokens != model.config.num_image_tokens
    ):
        raise ModelUnusable(f"{folder} holds no CogView of the same codes.")
    return found


def _layout(fields: ConfigFile, vqvae: VqVae) -> NanoLayout:
    codes = vqvae.config.n_embed
    if "text_tokens" not in fields:
        ids = CogViewIds(image_tokens=codes)
        return NanoLayout(ids=ids, edge=32, image_position=0, most_text=RELEASED_TEXT - 3)
    ids = CogViewIds(image_tokens=codes, text_tokens=fields.integer("text_tokens"))
    try:
        return NanoLayout(
            ids=ids, edge=fields.integer("edge"), image_position=fields.integer("image_position")
        )
    except ValueError as error:
        raise ModelUnusable(f"{fields.name}: {error}.") from error


def _habits(fields: ConfigFile) -> DrawingHabits:
    if "drawing" not in fields:
        return DrawingHabits()
    habits = fields.part("drawing")
    return DrawingHabits(
        best_of=habits.integer("best_of", 1),
        guidance=habits.integer("guidance_percent", 100) / 100,
        top_k=habits.integer("top_k", 200),
        temperature=habits.integer("temperature_percent", 100, least=0) / 100,
    )


def _part(folder: Path, device: torch.device, dtype: torch.dtype) -> PictureModel:
    return load_model(weight_files(folder), folder / "config.json", device=device, dtype=dtype)


def _pieces(folder: Path) -> Callable[[str], list[int]]:
    file = folder / "tokenizer.json"
    if file.is_file():
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the tokenizers library raises no narrower class
            raise ModelUnusable(f"{file} cannot be read ({error}).") from error
        return lambda text: list(tokenizer.encode(text).ids)
    models = sorted(folder.glob("*.model"))
    if not models:
        raise ModelUnusable(f"There is no text tokenizer in {folder}.")
    return TextPieces(models[0], first_id=0).encode
