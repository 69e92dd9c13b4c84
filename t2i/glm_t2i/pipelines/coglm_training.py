"""Training rows of CogLM: the same codes and texts, told apart by what each row may see.

A sample is 512 ids: [text] pad [text in the other language] pad ..., 400 codes at the end.
Generation: one text is open to all rows, the picture is causal, the loss is on codes.
Understanding: every text is shifted right behind its start token, is causal and sees the whole
picture; beside that the picture is an infill of random 4 x 4 patches, with M their union and C
the rest: rows in C see C, rows in M see C and the M before them. An output predicts the next
column, so three of a patch row's four columns carry loss.
Source: CogView2 (arXiv 2204.14217, section 3.1), the released sample builders.

Legend of the suffixes: T tokens of a row, Q rows, K columns of the mask, N codes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from glm_t2i.pipelines.coglm_sequence import FIRST_CODE_POSITION, START_POSITION
from glm_t2i.pipelines.vocabulary import IcetkIds

PATCH = 4  # codes either way
PATCH_SHARE = 0.8  # of the picture, overlaps counted


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainingRow:
    """What a step of training needs; label i is the id after id i, the last its own. In a
    generation row the start of the image is no label: the place keeps its padding."""

    ids_T: torch.Tensor
    positions_T: torch.Tensor
    labels_T: torch.Tensor
    loss_T: torch.Tensor  # bool
    mask_QK: torch.Tensor  # bool, true = may be seen


def text_spans(ids: IcetkIds, sample_T: torch.Tensor, *, codes: int) -> list[tuple[int, int]]:
    """Start and end of each text of a sample, in order."""
    spans: list[tuple[int, int]] = []
    start: int | None = None
    for index, token in enumerate([*sample_T[: len(sample_T) - codes].tolist(), ids.pad]):
        if token == ids.pad:
            if start is not None:
                spans.append((start, index))
            start = None
        elif start is None:
            start = index
    return spans


def generation_row(
    ids: IcetkIds, sample_T: torch.Tensor, *, text: int, codes: int = 400
) -> TrainingRow:
    """Text to image with the `text`-th text of the sample. Raises ValueError if there is none
    or if the place before the codes is not padding."""
    spans = text_spans(ids, sample_T, codes=codes)
    if not 0 <= text < len(spans):
        raise ValueError(f"the sample holds {len(spans)} texts; there is no number {text}")
    start, end = spans[text]
    first_code = len(sample_T) - codes
    before = first_code - 1
    if int(sample_T[before]) != ids.pad:
        raise ValueError("the place before the codes must be padding")
    tokens_T = sample_T.clone()
    tokens_T[before] = ids.start_of_image
    positions_T = torch.zeros_like(tokens_T)
    positions_T[start:end] = torch.arange(end - start)
    positions_T[before:] = torch.arange(codes + 1) + START_POSITION
    mask_QK = torch.zeros(len(tokens_T), len(tokens_T), dtype=torch.bool)
    mask_QK[before:, before:] = True
    mask_QK = mask_QK.tril()
    mask_QK[:, start:end] = True
    loss_T = torch.zeros(len(tokens_T), dtype=torch.bool)
    loss_T[before:-1] = True
    return TrainingRow(
        ids_T=tokens_T,
        positions_T=positions_T,
        labels_T=_next(sample_T),
        loss_T=loss_T,
        mask_QK=mask_QK,
    )


def understanding_row(
    ids: IcetkIds, sample_T: torch.Tensor, corners: list[tuple[int, int]], *, codes: int = 400
) -> TrainingRow:
    """Captioning and infill; `corners` are rows and columns of the patches' upper left codes."""
    first_code, total = len(sample_T) - codes, len(sample_T)
    masked_N, loss_N = _patches(corners, math.isqrt(codes))
    tokens_T, positions_T = sample_T.clone(), torch.zeros_like(sample_T)
    mask_QK = torch.zeros(total, total, dtype=torch.bool)
    mask_QK[:, first_code:] = ~masked_N
    mask_QK[first_code:, first_code:] |= torch.ones(codes, codes).bool().tril() & (
        masked_N[:, None] & masked_N
    )
    loss_T = torch.zeros(total, dtype=torch.bool)
    loss_T[first_code:] = loss_N
    positions_T[first_code:] = torch.arange(codes) + FIRST_CODE_POSITION
    for start, end in text_spans(ids, sample_T, codes=codes):
        shifted = slice(start, end + 1)
        text: list[int] = sample_T[start:end].tolist()
        tokens_T[shifted] = sample_T.new_tensor([ids.start_of_text(text), *text])
        length = end + 1 - start
        positions_T[shifted] = torch.arange(length)
        mask_QK[shifted, shifted] = torch.ones(length, length).bool().tril()
        mask_QK[shifted, first_code:] = True
        loss_T[start:end] = True
    return TrainingRow(
        ids_T=tokens_T,
        positions_T=positions_T,
        labels_T=_next(tokens_T),
        loss_T=loss_T,
        mask_QK=mask_QK,
    )


def draw_corners(generator: torch.Generator, *, codes: int = 400) -> list[tuple[int, int]]:
    """Random corners that leave every patch inside, overlaps allowed: 20 for 400 codes."""
    edge = math.isqrt(codes)
    count = int(PATCH_SHARE * codes) // PATCH**2
    room = edge - PATCH
    drawn = torch.randint(room * room, (count,), generator=generator)
    return [(int(place) // room, int(place) % room) for place in drawn]


def _patches(corners: list[tuple[int, int]], edge: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(codes in a patch, codes whose output carries loss), bool [N] each."""
    masked, loss = (torch.zeros(edge, edge, dtype=torch.bool) for _ in range(2))
    for row, column in corners:
        if not (0 <= row <= edge - PATCH and 0 <= column <= edge - PATCH):
            raise ValueError(f"a patch at {row}, {column} does not lie inside {edge} x {edge}")
        masked[row : row + PATCH, column : column + PATCH] = True
        loss[row : row + PATCH, column : column + PATCH - 1] = True
    return masked.flatten(), loss.flatten()


def _next(tokens_T: torch.Tensor) -> torch.Tensor:
    return torch.cat((tokens_T[1:], tokens_T[-1:]))
