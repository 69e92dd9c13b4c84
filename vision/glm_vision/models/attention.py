"""Scaled dot-product attention through the implementation that the model was asked for.

`attn_implementation` may be "eager", "sdpa", or any name of transformers' attention interface.

Shapes: B rows, H query heads, K key heads, L queries, S keys, E head width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn
from transformers import PreTrainedConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

Attended = tuple[torch.Tensor, torch.Tensor | None]


def eager_attention(
    module: nn.Module,
    query_BHLE: torch.Tensor,
    key_BKSE: torch.Tensor,
    value_BKSE: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> Attended:
    """Written out: (B, L, H, E) and the weights (B, H, L, S). The mask is added to the scores."""
    groups = query_BHLE.shape[1] // key_BKSE.shape[1]
    key_BHSE = key_BKSE.repeat_interleave(groups, dim=1)
    value_BHSE = value_BKSE.repeat_interleave(groups, dim=1)
    scores_BHLS = query_BHLE @ key_BHSE.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores_BHLS = scores_BHLS + attention_mask
    weights_BHLS = scores_BHLS.softmax(dim=-1, dtype=torch.float32).to(query_BHLE.dtype)
    weights_BHLS = nn.functional.dropout(weights_BHLS, p=dropout, training=module.training)
    return (weights_BHLS @ value_BHSE).transpose(1, 2), weights_BHLS


def attend(
    module: nn.Module,
    config: PreTrainedConfig,
    query_BHLE: torch.Tensor,
    key_BKSE: torch.Tensor,
    value_BKSE: torch.Tensor,
    mask: torch.Tensor | None,
) -> Attended:
    """Heads joined: (B, L, H * E), and the weights where the implementation gives them.

    `module` says by its `is_causal` and `num_key_value_groups` what kind of attention it is.
    """
    kernel = cast(
        "Callable[..., Attended]",
        ALL_ATTENTION_FUNCTIONS.get_interface(config._attn_implementation, eager_attention),
    )
    scaling = float(query_BHLE.shape[-1] ** -0.5)
    out_BLHE, weights = kernel(
        module, query_BHLE, key_BKSE, value_BKSE, mask, scaling=scaling, dropout=0.0
    )
    return out_BLHE.flatten(2), weights
