"""Attention from a language layer to a second, finer encoding of the pictures.

Every token, text or image, looks at all patches of its row's pictures through the same weights:
no positions, no causality. Source: CogAgent (arXiv 2312.08914), section 2.2.

Shapes: B rows, L tokens, D hidden, S fine patches of a row's pictures, C their width, H heads,
E head width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedConfig

from glm_vision.models.attention import attend

KeyValue = tuple[torch.Tensor, torch.Tensor]  # each (B, H, S, E)


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossStates:
    """Keys and values of the fine patches, computed once and used by every later step.

    `mask_B11S` is added to the scores; None where all rows have equally many patches. `seen_B11`
    is 0 for rows without a picture, None where all have one.
    """

    layers: tuple[KeyValue, ...]
    mask_B11S: torch.Tensor | None = None
    seen_B11: torch.Tensor | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FinePatches:
    """Encoded pictures of a batch, padded to the longest row."""

    features_BSC: torch.Tensor
    mask_B11S: torch.Tensor | None
    seen_B11: torch.Tensor | None

    @classmethod
    def of_rows(cls, rows: Sequence[int], features_ISC: torch.Tensor) -> FinePatches:
        """`rows` counts the pictures of each row; `features` are theirs in order."""
        most, patches = max(rows), features_ISC.shape[1]
        padded = features_ISC.new_zeros(len(rows), most, *features_ISC.shape[1:])
        start = 0
        for row, count in enumerate(rows):
            padded[row, :count] = features_ISC[start : start + count]
            start += count
        features_BSC = padded.flatten(1, 2)
        if min(rows) == most:
            return cls(features_BSC=features_BSC, mask_B11S=None, seen_B11=None)
        counts_B1 = torch.tensor(rows, device=features_ISC.device)[:, None]
        places_S = torch.arange(most * patches, device=features_ISC.device)
        # A row without pictures keeps one key, so that its softmax is finite; `seen` drops it.
        hidden_BS = places_S[None] >= (counts_B1 * patches).clamp_min(1)
        mask_BS = torch.zeros_like(hidden_BS, dtype=features_ISC.dtype)
        mask_BS = mask_BS.masked_fill(hidden_BS, torch.finfo(features_ISC.dtype).min)
        seen_B = (counts_B1[:, 0] > 0).to(features_ISC.dtype)
        return cls(
            features_BSC=features_BSC,
            mask_B11S=mask_BS[:, None, None],
            seen_B11=None if min(rows) else seen_B[:, None, None],
        )


class CrossAttention(nn.Module):
    """Fused rows of `key_value` are [k | v]."""

    def __init__(
        self, config: PreTrainedConfig, *, hidden: int, fine: int, inner: int, heads: int
    ) -> None:
        super().__init__()
        self.config = config
        self.is_causal = False
        self.num_key_value_groups = 1
        self.heads = heads
        self.query = nn.Linear(hidden, inner, bias=False)
        self.key_value = nn.Linear(fine, inner * 2, bias=False)
        self.dense = nn.Linear(inner, hidden, bias=False)

    def project(self, features_BSC: torch.Tensor) -> KeyValue:
        key, value = self.key_value(features_BSC).chunk(2, dim=-1)
        return self._split(key), self._split(value)

    def forward(
        self, x_BLD: torch.Tensor, seen: KeyValue, mask_B11S: torch.Tensor | None
    ) -> torch.Tensor:
        key_BHSE, value_BHSE = seen
        query_BHLE = self._split(self.query(x_BLD))
        mask = None
        if mask_B11S is not None:
            mask = mask_B11S.expand(-1, -1, x_BLD.shape[1], -1)
        context_BLC, _ = attend(self, self.config, query_BHLE, key_BHSE, value_BHSE, mask)
        out: torch.Tensor = self.dense(context_BLC)
        return out

    def _split(self, x_BLC: torch.Tensor) -> torch.Tensor:
        return x_BLC.reshape(*x_BLC.shape[:-1], self.heads, -1).transpose(1, 2)
