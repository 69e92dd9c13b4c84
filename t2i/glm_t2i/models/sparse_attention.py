"""Three-region sparse attention of CogView: text and pivots, a local window, one softmax.

Training: the sequence is cut into blocks of `window` tokens; block b sees itself and the
`window_times` - 1 blocks before it, causally, and those of P pivots that lie left of all that.
Pivots are every text position of the sample and image positions drawn at random, anew in each
layer; their scores get + log(floor(T / P)) because they stand for more than themselves.
Inference: the newest token sees its last `window_times * window` tokens, all text and a share of
the image positions left of them, without the logarithm (CogView, arXiv 2105.13290, section 3.2).

Legend of the suffixes: L layers, B batch, H heads, T tokens, D head width, P pivots, K keys,
N blocks, W tokens of a block, S tokens of a block's window (window_times * W).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from glm_t2i.models.attention import dense_attention, hide, pb_relax_softmax


@dataclass(frozen=True, kw_only=True, slots=True)
class SparseTraining:
    """Pivots of each layer, int64 [L, B, P], and the window, in tokens and in blocks."""

    pivots_LBP: torch.Tensor
    window: int
    window_times: int

    def __post_init__(self) -> None:
        if self.window < 1 or self.window_times < 1 or self.pivots_LBP.ndim != 3:
            raise ValueError("window and window_times must be positive, pivots [layers, batch, P]")


@dataclass(frozen=True, kw_only=True, slots=True)
class SparseStep:
    """Positions that the newest token may see in each layer, int64 [L, B, K]; one given twice
    counts twice."""

    keys_LBK: torch.Tensor


def attend_in_training(
    q_BHTD: torch.Tensor,
    k_BHTD: torch.Tensor,
    v_BHTD: torch.Tensor,
    pivots_BP: torch.Tensor,
    *,
    window: int,
    window_times: int,
) -> torch.Tensor:
    """[B, H, T, D]. Raises ValueError unless `window` divides T and P <= T."""
    tokens, pivots = q_BHTD.shape[2], pivots_BP.shape[1]
    if tokens % window or pivots > tokens or pivots < 1:
        raise ValueError(f"{tokens} tokens do not fit a window of {window} and {pivots} pivots")
    scale = 1 / math.sqrt(q_BHTD.shape[-1])
    blocks = tokens // window
    first_seen_T = (
        torch.arange(tokens, device=q_BHTD.device) // window - window_times + 1
    ) * window

    pivot_k_BHPD, pivot_v_BHPD = _picked(k_BHTD, pivots_BP), _picked(v_BHTD, pivots_BP)
    pivot_seen_B1TP = (pivots_BP[:, None] < first_seen_T[:, None])[:, None]
    pivot_scores_BHTP = hide(q_BHTD * scale @ pivot_k_BHPD.mT, pivot_seen_B1TP)
    pivot_scores_BHTP = pivot_scores_BHTP + math.log(tokens // pivots)

    window_k_BHNSD = _windows(k_BHTD, window, window_times)
    window_v_BHNSD = _windows(v_BHTD, window, window_times)
    q_BHNWD = torch.unflatten(q_BHTD, 2, (blocks, window))
    seen_NWS = _window_mask(blocks, window, window_times, q_BHTD.device)
    window_scores_BHTS = hide(q_BHNWD * scale @ window_k_BHNSD.mT, seen_NWS).flatten(2, 3)

    weights = pb_relax_softmax(torch.cat((pivot_scores_BHTP, window_scores_BHTS), dim=-1))
    window_weights_BHNWS = torch.unflatten(weights[..., pivots:], 2, (blocks, window))
    return weights[..., :pivots] @ pivot_v_BHPD + (window_weights_BHNWS @ window_v_BHNSD).flatten(
        2, 3
    )


def attend_in_step(
    q_BH1D: torch.Tensor, k_BHTD: torch.Tensor, v_BHTD: torch.Tensor, keys_BK: torch.Tensor
) -> torch.Tensor:
    """The newest token over the named positions only, [B, H, 1, D]."""
    return dense_attention(q_BH1D, _picked(k_BHTD, keys_BK), _picked(v_BHTD, keys_BK))


def draw_pivots(
    input_ids: torch.Tensor,
    *,
    layers: int,
    pivots: int,
    image_tokens: int,
    generator: torch.Generator,
) -> torch.Tensor:
    """Training pivots [L, B, P]: all text positions, then image positions without repeats.

    `input_ids` int64 [B, T]; ids from `image_tokens` up are text or commands. Raises ValueError
    if a row has more text than `pivots`, or too few image codes to fill them.
    """
    drawn = [
        [_row_pivots(row, pivots, image_tokens, generator) for row in input_ids]
        for _ in range(layers)
    ]
    return torch.stack([torch.stack(rows) for rows in drawn])


def draw_step_keys(
    input_ids: torch.Tensor,
    *,
    layers: int,
    window: int,
    window_times: int,
    pivots: int,
    max_sequence_length: int,
    image_tokens: int,
    generator: torch.Generator,
) -> torch.Tensor:
    """Keys of an inference step [L, 1, K] for one row of ids [T], the newest last.

    Left of the last `window_times * window` tokens: all text, and of the n image positions
    floor(n * pivots / max_sequence_length), without repeats.
    """
    tokens = input_ids.shape[-1]
    start = max(tokens - window_times * window, 0)
    left = input_ids.reshape(-1)[:start]
    text, image = _text_and_image(left, image_tokens)
    share = min(image.numel() * pivots // max_sequence_length, image.numel())
    near = torch.arange(start, tokens, device=input_ids.device)
    rows = [torch.cat((text, _some(image, share, generator), near)) for _ in range(layers)]
    return torch.stack(rows)[:, None]


def _row_pivots(
    ids_T: torch.Tensor, pivots: int, image_tokens: int, generator: torch.Generator
) -> torch.Tensor:
    text, image = _text_and_image(ids_T, image_tokens)
    wanted = pivots - text.numel()
    if not 0 <= wanted <= image.numel():
        raise ValueError(
            f"{pivots} pivots do not fit {text.numel()} text ids and {image.numel()} image codes"
        )
    return torch.cat((text, _some(image, wanted, generator)))


def _text_and_image(ids_T: torch.Tensor, image_tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    is_text_T = ids_T >= image_tokens
    return is_text_T.nonzero()[:, 0], (~is_text_T).nonzero()[:, 0]


def _some(positions: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    order = torch.randperm(positions.numel(), generator=generator)[:count]
    return positions[order.to(positions.device)]


def _picked(x_BHTD: torch.Tensor, index_BK: torch.Tensor) -> torch.Tensor:
    _, heads, _, width = x_BHTD.shape
    return x_BHTD.gather(2, index_BK[:, None, :, None].expand(-1, heads, -1, width))


def _windows(x_BHTD: torch.Tensor, window: int, times: int) -> torch.Tensor:
    """What each block may see, [B, H, N, S, D], zeros before the start."""
    padded = F.pad(x_BHTD, (0, 0, (times - 1) * window, 0))
    return padded.unfold(2, times * window, window).mT


def _window_mask(blocks: int, window: int, times: int, device: torch.device) -> torch.Tensor:
    """bool [N, W, S]: the key exists and is not after the query."""
    row_NW1 = torch.arange(blocks * window, device=device).view(blocks, window, 1)
    first_N11 = (torch.arange(blocks, device=device) - times + 1).view(blocks, 1, 1) * window
    column_NWS = first_N11 + torch.arange(times * window, device=device)
    return (column_NWS >= 0) & (column_NWS <= row_NW1)
