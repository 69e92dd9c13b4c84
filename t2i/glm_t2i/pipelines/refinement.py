"""CogView2's way from 20 x 20 to 60 x 60 codes: one direct pass, then six parallel refinements.

Local parallel decoding: a fixed 6 x 6 tile of levels lies over the grid. Pass r blanks every cell
of level r or more and predicts all of them at once, so cells far from each other are drawn
together: 23, 19, 15, 10, 6 and 2 of 36 cells. Cells below level 1 are never drawn again. The same
refinement in raster order (`raster_passes`) costs one pass a cell and is there to compare.
Source: CogView2 (arXiv 2204.14217, section 3.3), the released schedule and top-k.

Legend of the suffixes: B batch, T tokens, V codes, h w coarse, H W fine rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from glm_t2i.models.super_resolution import DirectSuperResolution, IterativeSuperResolution
from glm_t2i.pipelines.coglm_sequence import FIRST_CODE_POSITION
from glm_t2i.pipelines.filling import OnStep
from glm_t2i.pipelines.sampling import Chooser
from glm_t2i.pipelines.vocabulary import IcetkIds

_TILE = (
    (-1, 0, 1, 2, 3, 4),
    (0, -1, 2, -1, -2, 5),
    (1, -2, 3, 4, 5, 6),
    (2, 3, 4, 5, -1, 1),
    (3, -1, -2, 0, -1, 2),
    (4, 5, 6, 1, 3, -2),
)
PASSES = 6
TOP_K = (40, 40, 40, 20, 20, 10)  # of the passes, at temperature 1
_HIDDEN = 0  # id of left padding, which no real token sees


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RefiningPass:
    """Cells that are unknown to the model and cells that it then sets, bool [H, W] both."""

    blank_HW: torch.Tensor
    set_HW: torch.Tensor
    top_k: int


def levels(edge: int) -> torch.Tensor:
    """Level of each cell, int64 [edge, edge]: the tile repeated and cut."""
    tile = torch.tensor(_TILE)
    times = -(-edge // len(_TILE))
    return tile.repeat(times, times)[:edge, :edge]


def parallel_passes(edge: int, *, within_HW: torch.Tensor | None = None) -> list[RefiningPass]:
    """Six passes; `within_HW` (bool) leaves all other cells alone, as an infill wants it."""
    passes = []
    for number, top_k in zip(range(1, PASSES + 1), TOP_K, strict=True):
        cells_HW = levels(edge) >= number
        if within_HW is not None:
            cells_HW &= within_HW.cpu()
        passes.append(RefiningPass(blank_HW=cells_HW, set_HW=cells_HW, top_k=top_k))
    return passes


def raster_passes(edge: int, *, within_HW: torch.Tensor | None = None) -> list[RefiningPass]:
    """One pass a cell, in reading order, over all cells or those `within_HW`."""
    left_HW = torch.ones(edge, edge, dtype=torch.bool)
    if within_HW is not None:
        left_HW &= within_HW.cpu()
    passes = []
    for row, column in left_HW.nonzero().tolist():
        cell_HW = torch.zeros_like(left_HW)
        cell_HW[row, column] = True
        passes.append(RefiningPass(blank_HW=left_HW.clone(), set_HW=cell_HW, top_k=TOP_K[0]))
        left_HW[row, column] = False
    return passes


def enlarge_directly(
    model: DirectSuperResolution,
    ids: IcetkIds,
    text_ids: Sequence[int],
    codes_Bhw: torch.Tensor,
    *,
    choose: Chooser,
    first_position: int = FIRST_CODE_POSITION,
) -> torch.Tensor:
    """Codes int64 [B, H, W] in one pass; the first ids of the text are used, as many as fit.

    `first_position`: of the coarse codes, 513 as trained. Raises ValueError on other sizes.
    """
    text, base, _ = model.config.layout
    coarse_BT = codes_Bhw.flatten(1)
    if codes_Bhw.ndim != 3 or coarse_BT.shape[1] != base - text:
        raise ValueError(f"this model enlarges {base - text} codes, not {coarse_BT.shape[1]}")
    device = model.transformer.word_embeddings.weight.device
    head, head_positions, hidden = _left_padded(text_ids[: text - 1], text)
    batch, fine = len(codes_Bhw), model.config.fine_tokens
    tokens_BT = torch.cat(
        (
            head.expand(batch, -1).to(device),
            coarse_BT.to(device),
            torch.full((batch, fine), ids.start_of_image, device=device),
        ),
        dim=1,
    )
    positions_T = torch.cat(
        (
            head_positions,
            torch.arange(base - text) + first_position,
            torch.arange(fine) + model.config.base.max_sequence_length,
        )
    )
    mask = direct_mask(text, base, hidden=hidden)
    output = model(tokens_BT, positions_T.to(device), mask.to(device))
    edge = model.config.fine_edge
    return choose(output.logits[:, base:].flatten(0, 1)).view(batch, edge, edge)


def direct_mask(text: int, base: int, *, hidden: int) -> torch.Tensor:
    """Who sees whom among text and coarse codes, bool [base, base]; `hidden` columns of padding.

    Text sees text, coarse codes see text and each other. Rows of padding see all text columns.
    """
    mask = torch.zeros(base, base, dtype=torch.bool)
    mask[:, hidden:text] = True
    mask[:hidden, :text] = True
    mask[text:, text:] = True
    return mask


def refine(
    model: IterativeSuperResolution,
    ids: IcetkIds,
    text_ids: Sequence[int],
    codes_BHW: torch.Tensor,
    passes: Sequence[RefiningPass],
    *,
    choose: Sequence[Chooser],
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """Codes int64 [B, H, W] after all `passes`, each with its own chooser.

    The first ids of the text are used, as many as fit (16). Raises ValueError on other sizes.
    """
    text, edge = model.config.layout[0], model.config.fine_edge
    if tuple(codes_BHW.shape[1:]) != (edge, edge):
        raise ValueError(f"this model refines {edge} x {edge} codes, not {codes_BHW.shape[1:]}")
    if len(choose) != len(passes):
        raise ValueError(f"{len(passes)} passes need as many choosers, not {len(choose)}")
    device = model.transformer.word_embeddings.weight.device
    head, head_positions, hidden = _left_padded(text_ids[:text], text)
    head_BT = head.expand(len(codes_BHW), -1).to(device)
    fine_positions = torch.arange(edge * edge) + model.config.base.max_sequence_length
    positions_T = torch.cat((head_positions, fine_positions)).to(device)
    mask_1K = (torch.arange(text) >= hidden)[None].to(device)
    codes_BHW = codes_BHW.to(device).clone()
    for done, (step, chooser) in enumerate(zip(passes, choose, strict=True)):
        known_BHW = codes_BHW.masked_fill(step.blank_HW.to(device), ids.start_of_image)
        tokens_BT = torch.cat((head_BT, known_BHW.flatten(1)), dim=1)
        logits_BTV = model(tokens_BT, positions_T, mask_1K).logits[:, text:]
        set_T = step.set_HW.flatten().to(device)
        chosen = chooser(logits_BTV[:, set_T].flatten(0, 1))
        codes_BHW.view(len(codes_BHW), -1)[:, set_T] = chosen.view(len(codes_BHW), -1)
        if on_step is not None:
            on_step(done + 1, len(passes))
    return codes_BHW


def _left_padded(text_ids: Sequence[int], length: int) -> tuple[torch.Tensor, torch.Tensor, int]:
    """(ids [length], positions [length], count of hidden ones). Raises ValueError on no text."""
    if not text_ids:
        raise ValueError("the text must not be empty")
    hidden = length - len(text_ids)
    return (
        torch.tensor([_HIDDEN] * hidden + list(text_ids)),
        torch.tensor([0] * hidden + list(range(len(text_ids)))),
        hidden,
    )
