"""Image slots of a batch against its images, so that no picture is lost and no slot left empty.

Shapes: B rows, L new tokens, F tokens of the whole history, I images, T slots of one, D hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.utils.generic import TransformersKwargs

from glm_vision.models.vision_tower import VisionTower

Images = Sequence[Sequence[torch.Tensor]]  # one list a row, of pixels (3, S, S)


def fill_slots(
    embeds_BLD: torch.Tensor, types_BL: torch.Tensor, images: Images, tower: VisionTower
) -> torch.Tensor:
    """The embeddings with image slots overwritten by their images in order.

    Raises ValueError where a row's slots and its images do not match.
    """
    check_slots(types_BL, images, tower.slots)
    pictures = [picture for row in images for picture in row]
    if not pictures:
        return embeds_BLD
    pixels = torch.stack(pictures).to(device=embeds_BLD.device, dtype=embeds_BLD.dtype)
    features_ITD = tower(pixels)
    slots_BL1 = (types_BL == 1)[..., None]
    return embeds_BLD.masked_scatter(slots_BL1, features_ITD.to(embeds_BLD.dtype))


def history_types(
    types: torch.Tensor | None, given: torch.Tensor, past: int, *, placed: bool
) -> torch.Tensor:
    """Types over the whole history, or over the new tokens where positions are known.

    Raises ValueError where an image in the cache could be overlooked.
    """
    rows, length = given.shape[:2]
    if types is None and (past == 0 or placed):
        types = torch.zeros((rows, length), dtype=torch.long)
    if types is None or not (placed or tuple(types.shape) == (rows, past + length)):
        raise ValueError(
            f"The history is {(rows, past + length)}: give token_type_ids of it all,"
            " or position_ids as well."
        )
    return types.to(given.device)


def refuse_unknown(arguments: dict[str, Any]) -> None:
    """A misspelt argument must not lose its picture. Raises TypeError."""
    unknown = sorted(set(arguments) - TransformersKwargs.__optional_keys__ - {"return_dict"})
    if unknown:
        raise TypeError(f"forward does not take {', '.join(unknown)}")


def check_slots(types_BL: torch.Tensor, images: Images, slots: int) -> None:
    """Every row's image slots are those of its images."""
    if images and len(images) != len(types_BL):
        raise ValueError(f"There are {len(images)} lists of images for {len(types_BL)} rows.")
    counts = (types_BL == 1).sum(dim=1).tolist()
    for row, count in enumerate(counts):
        wanted = len(images[row]) * slots if images else 0
        if count != wanted:
            raise ValueError(
                f"Row {row} has {count} image slots in token_type_ids;"
                f" its images need {wanted} ({slots} each)."
            )
