"""Dense attention of the CogView family, and the softmax that keeps it inside fp16.

PB-relax, attention half (CogView, arXiv 2105.13290, section 2.4): with alpha = 32,

    softmax(Q K^T / sqrt(d)) = softmax(alpha * (S - max S)),  S = (Q / (alpha sqrt(d))) K^T

is the plain softmax in exact arithmetic; in fp16 it keeps S from overflowing. Here the maximum is
taken per row. A hidden key gets the score -10000, not -inf: a row that may see nothing becomes
uniform over everything instead of NaN, and left-padded rows rely on it.

Legend of the suffixes: B batch, H heads, Q queries, K keys, D width of one head.
"""

from __future__ import annotations

import math

import torch

MASKED_SCORE = -10000.0
PB_RELAX_ALPHA = 32.0


def pb_relax_softmax(scores_BHQK: torch.Tensor, *, alpha: float = PB_RELAX_ALPHA) -> torch.Tensor:
    """Softmax over the last axis by the published formula; `scores_BHQK` are already masked."""
    return _relaxed(scores_BHQK / alpha, alpha)


def _relaxed(small_BHQK: torch.Tensor, alpha: float) -> torch.Tensor:
    return ((small_BHQK - small_BHQK.amax(dim=-1, keepdim=True)) * alpha).softmax(dim=-1)


def hide(
    scores_BHQK: torch.Tensor, mask: torch.Tensor | None, *, masked: float = MASKED_SCORE
) -> torch.Tensor:
    """Scores with the hidden ones replaced by `masked`. `mask`: 1 = may be seen, broadcastable."""
    if mask is None:
        return scores_BHQK
    return torch.where(mask.to(torch.bool), scores_BHQK, masked)


def dense_attention(
    q_BHQD: torch.Tensor,
    k_BHKD: torch.Tensor,
    v_BHKD: torch.Tensor,
    mask: torch.Tensor | None = None,
    *,
    boost: torch.Tensor | None = None,
    alpha: float = PB_RELAX_ALPHA,
) -> torch.Tensor:
    """Attention of every query over the visible keys, [B, H, Q, D].

    `mask` is broadcastable to [B, H, Q, K], 1 = may be seen; None: all. `boost`, broadcastable to
    the same, is added to the scores before hiding (CogLM's text boost, a logarithm of a weight).
    `alpha` 1 gives the plain softmax.
    """
    small_q_BHQD = q_BHQD / (alpha * math.sqrt(q_BHQD.shape[-1]))
    small_BHQK = small_q_BHQD @ k_BHKD.transpose(-1, -2)
    if boost is not None:
        small_BHQK = small_BHQK + boost.to(small_BHQK.dtype) / alpha
    small_BHQK = hide(small_BHQK, mask, masked=MASKED_SCORE / alpha)
    return _relaxed(small_BHQK, alpha) @ v_BHKD


def attention_mask(
    mask: torch.Tensor | int | None,
    *,
    queries: int,
    keys: int,
    device: torch.device,
) -> torch.Tensor | None:
    """What a caller may give as a mask, as bool [., ., Q, K], or None where all is visible.

    None: causal, the last query sees the last key. An integer n: causal, and columns below n are
    open to every row. A tensor of 0/1 or bool: [Q, K], [B, Q, K] or [B, 1, Q, K].
    Raises ValueError on any other shape.
    """
    if isinstance(mask, torch.Tensor):
        return given_mask(mask, queries=queries, keys=keys).to(device)
    if queries == 1:
        return None
    rows_Q1 = torch.arange(keys - queries, keys, device=device)[:, None]
    columns_K = torch.arange(keys, device=device)
    open_columns = 0 if mask is None else int(mask)
    return ((columns_K <= rows_Q1) | (columns_K < open_columns))[None, None]


def given_mask(
    mask: torch.Tensor, *, queries: int, keys: int, one_row: bool = False
) -> torch.Tensor:
    """A mask as bool [., ., Q, K]; with `one_row`, one that is the same for every query will do.

    Without it [1, K] is refused: it is easily a list of padding that was meant beside causality.
    """
    if mask.ndim == 2:
        mask = mask[None, None]
    elif mask.ndim == 3:
        mask = mask[:, None]
    rows = (1, queries) if one_row else (queries,)
    if mask.ndim != 4 or mask.shape[-1] != keys or mask.shape[-2] not in rows:
        raise ValueError(
            f"attention_mask has shape {tuple(mask.shape)}; it must end in [{queries}, {keys}]"
        )
    return mask.to(torch.bool)
