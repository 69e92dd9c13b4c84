"""What CogLM sees when it draws: ids, positions and mask of [text, start of image, codes].

Text has positions from 0 and is open to every row, so it is bidirectional; the start of the image
has 512; the code at row i, column j of a picture has 513 + i * edge + j wherever it stands in the
sequence. Text columns are boosted by 1.4, a weight of 4.06 before the softmax.
In an infill the context codes come first and see each other on all sides; the codes to draw come
after, in raster order, and see all of the context and the drawn ones before them. A code just left
of the region stands among them, given, so that the first hole of its row is predicted from there.
Source: CogView2 (arXiv 2204.14217, sections 3.1 and 4.2), the released sequences.

Legend of the suffixes: T tokens, Q rows, K columns of the mask, h w rows and columns of codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from glm_protocol.errors import PromptTooLong
from glm_t2i.pipelines.filling import HOLE
from glm_t2i.pipelines.vocabulary import IcetkIds

START_POSITION = 512
FIRST_CODE_POSITION = 513
TEXT_BOOST = 1.4
MAX_TEXT = 110  # ids, start of image not counted


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CogLMSequence:
    """`ids_T` with HOLEs, `positions_T`, bool `mask_QK`; `places_T`: index of each code in the
    picture, -1 for the rest; `context` counts the ids that come before the part to draw."""

    ids_T: torch.Tensor
    positions_T: torch.Tensor
    mask_QK: torch.Tensor
    places_T: torch.Tensor
    text: int
    context: int

    def boost(self, columns: int, *, strength: float = TEXT_BOOST) -> torch.Tensor:
        """What is added to the scores of the first `columns` columns, float [columns]."""
        is_text_K = torch.arange(columns, device=self.ids_T.device) < self.text
        return is_text_K * strength

    def picture(self, filled_BT: torch.Tensor, edge: int) -> torch.Tensor:
        """The codes of a filled sequence in their places, int64 [B, edge, edge]."""
        is_code_T = self.places_T >= 0
        flat = filled_BT.new_empty((len(filled_BT), edge * edge))
        flat[:, self.places_T[is_code_T]] = filled_BT[:, is_code_T]
        return flat.view(-1, edge, edge)


def drawing_sequence(ids: IcetkIds, text_ids: Sequence[int], *, edge: int) -> CogLMSequence:
    """A whole picture to draw. Raises PromptTooLong above 110 text ids, ValueError on none."""
    return _sequence(ids, text_ids, torch.full((edge, edge), HOLE), context=[])


def infill_sequence(
    ids: IcetkIds, text_ids: Sequence[int], codes_hw: torch.Tensor, region_hw: torch.Tensor
) -> CogLMSequence:
    """A square picture with a region to draw anew; `region_hw` true = draw.

    Raises ValueError on shapes that differ, an empty region, or a region of everything.
    """
    edge = codes_hw.shape[-1]
    codes_hw, region_hw = codes_hw.cpu(), region_hw.to(device="cpu", dtype=torch.bool)
    if codes_hw.shape != (edge, edge) or region_hw.shape != codes_hw.shape:
        raise ValueError("codes and region must be squares of the same size")
    if not region_hw.any() or region_hw.all():
        raise ValueError("the region must hold some codes and not all")
    left_of_region_hw = torch.zeros_like(region_hw)
    left_of_region_hw[:, :-1] = region_hw[:, 1:] & ~region_hw[:, :-1]
    context: list[int] = (~region_hw & ~left_of_region_hw).flatten().nonzero()[:, 0].tolist()
    return _sequence(ids, text_ids, codes_hw.masked_fill(region_hw, HOLE), context=context)


def _sequence(
    ids: IcetkIds, text_ids: Sequence[int], codes_hw: torch.Tensor, *, context: list[int]
) -> CogLMSequence:
    """`context`: places of the codes that come first and see each other."""
    text = checked_text(text_ids)
    codes: list[int] = codes_hw.flatten().tolist()
    first = set(context)
    places = context + [place for place in range(len(codes)) if place not in first]
    before = len(text) + 1
    tokens = [*text, ids.start_of_image, *(codes[place] for place in places)]
    positions = [
        *range(len(text)),
        START_POSITION,
        *(FIRST_CODE_POSITION + place for place in places),
    ]
    mask_QK = torch.ones(len(tokens), len(tokens), dtype=torch.bool).tril()
    mask_QK[:, : len(text)] = True
    mask_QK[before:, before : before + len(context)] = True
    return CogLMSequence(
        ids_T=torch.tensor(tokens),
        positions_T=torch.tensor(positions),
        mask_QK=mask_QK,
        places_T=torch.tensor([-1] * before + places),
        text=len(text),
        context=before + len(context),
    )


def checked_text(text_ids: Sequence[int]) -> list[int]:
    """Raises ValueError on no text, PromptTooLong above what was trained."""
    if not text_ids:
        raise ValueError("the text must not be empty")
    if len(text_ids) > MAX_TEXT:
        raise PromptTooLong(f"The text has {len(text_ids)} tokens; CogView2 takes {MAX_TEXT}.")
    return list(text_ids)
