"""CogView's super-resolution: twice the codes either way, in nine overlapping windows.

A window is 32 codes wide on the 64 x 64 target and is drawn under a 16 x 16 crop of the picture:

    [ROI1] text [BASE] [BOI1] crop [EOI1] [ROI2] [POS0] [BASE] [BOI2] codes of the window

Codes of the window that an earlier one has drawn are given, the others drawn in raster order, the
first `lines` rows only. Positions restart after [ROI2], so [POS0] has 1. Sequences are longer than
the table of positions; positions are not. Released sampling: top-k 200 at temperature 1.02.
Source: CogView (arXiv 2105.13290, section 3.1), the released order of windows.

Legend of the suffixes: B batch, T tokens, h w coarse rows and columns, H W fine ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from glm_t2i.models.cogview import CogView
from glm_t2i.pipelines.cogview_drawing import causal_pass, text_context
from glm_t2i.pipelines.filling import HOLE, OnStep, fill
from glm_t2i.pipelines.sampling import Chooser
from glm_t2i.pipelines.vocabulary import CogViewIds

_RELEASED_EDGE = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Place in quarters of the target; `lines` rows are drawn, of a 32-row window."""

    row: int
    column: int
    lines: int


WINDOWS = tuple(
    Window(row=row, column=column, lines=lines)
    for row, column, lines in (
        *((0, 0, 18), (0, 1, 30), (0, 2, 30)),
        *((1, 1, 30), (1, 0, 30), (1, 2, 30)),
        *((2, 0, 32), (2, 1, 32), (2, 2, 32)),
    )
)


def enlarge(
    model: CogView,
    ids: CogViewIds,
    text_ids: Sequence[int],
    codes_Bhw: torch.Tensor,
    *,
    choose: Chooser,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """Codes int64 [B, 2 h, 2 w] of square pictures [B, h, w] that share one text.

    The released edge is 32; other multiples of 16 scale the windows. `on_step` counts codes.
    Raises ValueError on another shape.
    """
    edge = codes_Bhw.shape[-1]
    if codes_Bhw.ndim != 3 or codes_Bhw.shape[1] != edge or edge % 16 or edge == 0:
        raise ValueError(f"codes must be squares of 16, 32 ..., not {tuple(codes_Bhw.shape)}")
    device = model.word_embeddings.weight.device
    codes_Bhw = codes_Bhw.to(device)
    target_BHW = codes_Bhw.new_full((len(codes_Bhw), 2 * edge, 2 * edge), HOLE)
    text = text_context(ids, text_ids)
    for window in WINDOWS:
        done = int((target_BHW[0] != HOLE).sum())
        count = None if on_step is None else _counting(on_step, done, target_BHW[0].numel())
        _draw_window(model, ids, text, codes_Bhw, target_BHW, window, choose, count)
    return target_BHW


def _counting(on_step: OnStep, before: int, whole: int) -> OnStep:
    """A window's codes as part of the picture's."""
    return lambda step, _: on_step(before + step, whole)


def _draw_window(
    model: CogView,
    ids: CogViewIds,
    text: list[int],
    codes_Bhw: torch.Tensor,
    target_BHW: torch.Tensor,
    window: Window,
    choose: Chooser,
    on_step: OnStep | None,
) -> None:
    """Fill the window's part of the target in place."""
    batch, edge = codes_Bhw.shape[:2]
    quarter, half = edge // 4, edge // 2
    crop_Bhw = codes_Bhw[
        :,
        window.row * quarter : window.row * quarter + half,
        window.column * quarter : window.column * quarter + half,
    ]
    lines = window.lines * edge // _RELEASED_EDGE
    top, left = window.row * half, window.column * half
    part_BHW = target_BHW[:, top : top + lines, left : left + edge]
    middle = ids.commands("[EOI1] [ROI2] [POS0] [BASE] [BOI2]")
    sequence_BT = torch.cat(
        (
            codes_Bhw.new_tensor(text).expand(batch, -1),
            crop_Bhw.reshape(batch, -1),
            codes_Bhw.new_tensor(middle).expand(batch, -1),
            part_BHW.reshape(batch, -1),
        ),
        dim=1,
    )
    restart = len(text) + half * half + 1  # index of [ROI2], which keeps its own position
    index_T = torch.arange(sequence_BT.shape[1], device=codes_Bhw.device)
    positions_T = torch.where(index_T > restart, index_T - restart, index_T)
    filled_BT = fill(
        sequence_BT,
        model_pass=causal_pass(model, positions_T),
        layers=model.config.num_layers,
        choose=choose,
        legal=ids.codes,
        on_step=on_step,
    )
    part_BHW.copy_(filled_BT[:, -part_BHW[0].numel() :].view(part_BHW.shape))
