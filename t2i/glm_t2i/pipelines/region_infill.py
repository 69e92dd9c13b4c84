"""CogView2's infill of a picture: a box is drawn anew from a text and what lies around it.

A square crop 20/14 times the box's larger side is cut from the picture, read at the coarse size,
and its codes under the box are drawn by CogLM. A crop no larger than the coarse picture is pasted
back as it is; a larger one is enlarged directly, gets its own codes back outside the box, and is
refined inside it. The crop then lies back in the picture; pixels outside the crop are untouched
(the released code sends the whole picture through the tokenizer once more, which moves them all).
Source: CogView2 (arXiv 2204.14217, section 4.2), the released text-guided completion.

Legend of the suffixes: B samples, C channels, H W pixels, h w codes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from glm_t2i.models.pixels import normalised
from glm_t2i.pipelines.coglm_drawing import infill_codes
from glm_t2i.pipelines.cogview2 import Choosers, CogView2
from glm_t2i.pipelines.filling import OnStep
from glm_t2i.pipelines.refinement import parallel_passes

CROP_SHARE = 20 / 14  # the crop's side by the box's larger side
_STRIDE = 8  # pixels per code, either way


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A region as shares of the picture's height and width, 0..1, rows first."""

    top: float
    left: float
    bottom: float
    right: float

    def __post_init__(self) -> None:
        if not (0 <= self.top < self.bottom <= 1 and 0 <= self.left < self.right <= 1):
            raise ValueError("a box needs 0 <= top < bottom <= 1 and 0 <= left < right <= 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Crop:
    """A square of pixels inside the picture."""

    top: int
    left: int
    side: int

    def slices(self) -> tuple[slice, slice]:
        rows = slice(self.top, self.top + self.side)
        return rows, slice(self.left, self.left + self.side)


def crop_around(box: Box, *, edge: int) -> Crop:
    """The square that gives a box its surroundings, in a picture of `edge` x `edge` pixels.

    Moved inside where the box lies at a border; no smaller than one code.
    """
    larger = max(box.bottom - box.top, box.right - box.left) * edge
    side = min(edge, max(_STRIDE, math.ceil(larger * CROP_SHARE)))
    top = round((box.top + box.bottom) / 2 * edge - side / 2)
    left = round((box.left + box.right) / 2 * edge - side / 2)
    return Crop(top=min(max(top, 0), edge - side), left=min(max(left, 0), edge - side), side=side)


def region_of(box: Box, crop: Crop, *, edge: int, cells: int) -> torch.Tensor:
    """Cells of the crop's grid that the box touches, bool [cells, cells]."""

    def touched(first: float, last: float, start: int) -> torch.Tensor:
        cell = crop.side / cells
        low, high = (first * edge - start) / cell, (last * edge - start) / cell
        index = torch.arange(cells)
        return (index + 1 > low + 1e-6) & (index < high - 1e-6)

    rows = touched(box.top, box.bottom, crop.top)
    return rows[:, None] & touched(box.left, box.right, crop.left)


def infill_picture(
    models: CogView2,
    text_ids: Sequence[int],
    pixels_CHW: torch.Tensor,
    box: Box,
    *,
    choosers: Choosers,
    samples: int = 1,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """Pictures [samples, 3, H, W], pixels 0..1, with the box drawn anew.

    `pixels_CHW`: a square RGB picture of the fine size (480 released), pixels 0..1. Raises
    ValueError on another size, and where box and crop leave no surroundings.
    """
    coarse, fine = models.direct.coarse_edge, models.direct.config.fine_edge
    edge = fine * _STRIDE
    if tuple(pixels_CHW.shape) != (3, edge, edge):
        raise ValueError(f"the picture must be [3, {edge}, {edge}], not {tuple(pixels_CHW.shape)}")
    crop = crop_around(box, edge=edge)
    weight = models.tokenizer.quantize.proj.weight
    cut_1CHW = pixels_CHW[:, *crop.slices()][None].to(weight)
    region_hw = region_of(box, crop, edge=edge, cells=coarse)
    codes_hw = models.tokenizer.encode(normalised(_resized(cut_1CHW, coarse * _STRIDE)))[0]
    drawn_Bhw = infill_codes(
        models.base, models.ids, text_ids, codes_hw, region_hw,
        choose=choosers.base, samples=samples, on_step=on_step,
    )  # fmt: skip
    if crop.side > coarse * _STRIDE:
        drawn_Bhw = _enlarged(
            models, text_ids, cut_1CHW, drawn_Bhw, region_of(box, crop, edge=edge, cells=fine),
            choosers=choosers, on_step=on_step,
        )  # fmt: skip
    patch_BCHW = _resized(models.tokenizer.decode_pixels(drawn_Bhw), crop.side).clamp(0, 1)
    pictures_BCHW = pixels_CHW.expand(samples, -1, -1, -1).clone()
    pictures_BCHW[:, :, *crop.slices()] = patch_BCHW.to(pictures_BCHW)
    return pictures_BCHW


def _enlarged(
    models: CogView2,
    text_ids: Sequence[int],
    cut_1CHW: torch.Tensor,
    drawn_Bhw: torch.Tensor,
    region_HW: torch.Tensor,
    *,
    choosers: Choosers,
    on_step: OnStep | None,
) -> torch.Tensor:
    """Fine codes of the crop: the picture's own outside the region, refined inside it."""
    edge = models.direct.config.fine_edge
    own_1HW = models.tokenizer.encode(normalised(_resized(cut_1CHW, edge * _STRIDE)))
    fine_BHW = models.enlarge_once(text_ids, drawn_Bhw, choosers=choosers)
    fine_BHW = torch.where(region_HW.to(fine_BHW.device), fine_BHW, own_1HW)
    passes = parallel_passes(edge, within_HW=region_HW)
    return models.polish(text_ids, fine_BHW, passes, choosers=choosers, on_step=on_step)


def _resized(images_BCHW: torch.Tensor, side: int) -> torch.Tensor:
    if images_BCHW.shape[-1] == side:
        return images_BCHW
    return F.interpolate(  # in float32: half precision has no such filter on a CPU
        images_BCHW.float(), size=(side, side), mode="bilinear", align_corners=False, antialias=True
    ).to(images_BCHW)
