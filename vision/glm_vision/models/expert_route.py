"""Which tokens use the vision expert, and where each token stands: the three masks of an image.

An image is a run of slots of type 1: `boi`, the patches, `eoi`. Three rules look at one run and
disagree on purpose (CogVLM, section 2.2, and its released code):

    slot        embedding replaced   expert     position
    boi         yes                  vision     its own
    patches     yes                  vision     all share one
    eoi         yes                  language   its own

Two images that touch, with no text between, count as one run for all three rules.

Shapes: B rows, L tokens of the whole history, N vision tokens and M language tokens of the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

_PADDING = -1


def vision_expert_mask(types_BL: torch.Tensor) -> torch.Tensor:
    """Bool (B, L): a token is the vision expert's iff it and its successor are image slots.

    The last token of a row is never the vision expert's.
    """
    image_BL = types_BL == 1
    mask_BL = torch.zeros_like(image_BL)
    mask_BL[:, :-1] = image_BL[:, :-1] & image_BL[:, 1:]
    return mask_BL


def position_ids(types_BL: torch.Tensor, attention_BL: torch.Tensor | None = None) -> torch.Tensor:
    """Rotary positions (B, L) of a whole history, as long integers.

    Positions grow by one at every text token and at the first patch of a run; `boi` and `eoi`
    count as text. Padding (attention 0) adds nothing, so the first real token of a left-padded
    row stands at 1 instead of 0, which relative positions do not notice.
    """
    kind_BL = types_BL.long()
    if attention_BL is not None:
        kind_BL = kind_BL.masked_fill(attention_BL == 0, _PADDING)
    text_BL = kind_BL == 0
    edge_BL = torch.zeros_like(text_BL)
    edge_BL[:, 0] = edge_BL[:, -1] = True
    edge_BL[:, 1:] |= text_BL[:, :-1]
    edge_BL[:, :-1] |= text_BL[:, 1:]
    text_BL = text_BL | ((kind_BL == 1) & edge_BL)
    patch_BL = (kind_BL == 1) & ~text_BL
    step_BL = text_BL.clone()
    step_BL[:, 0] = False
    step_BL[:, 1:] |= patch_BL[:, 1:] & text_BL[:, :-1]
    return step_BL.long().cumsum(dim=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpertRoute:
    """Index sets of one forward, found once and used by every layer.

    `vision_N` and `language_M` index the flattened (B * L) tokens. Both are None when no token
    is the vision expert's: then its weights are not touched at all.
    """

    vision_N: torch.Tensor | None = None
    language_M: torch.Tensor | None = None

    @classmethod
    def of(cls, mask_BL: torch.Tensor) -> ExpertRoute:
        """From `vision_expert_mask`. Waits for the device once."""
        flat = mask_BL.flatten()
        vision_N = flat.nonzero().squeeze(1)
        if vision_N.numel() == 0:
            return cls()
        return cls(vision_N=vision_N, language_M=(~flat).nonzero().squeeze(1))

    def apply(
        self,
        hidden_BLD: torch.Tensor,
        *,
        vision: Callable[[torch.Tensor], torch.Tensor],
        language: Callable[[torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """Each token through its expert: (B, L, D) to (B, L, D').

        Neither expert is ever called with zero tokens, which some quantised layers cannot take.
        """
        if self.vision_N is None or self.language_M is None:
            return language(hidden_BLD)
        rows, length = hidden_BLD.shape[:2]
        flat = hidden_BLD.flatten(0, 1)
        vision_NE = vision(flat[self.vision_N])
        out = vision_NE.new_empty(rows * length, vision_NE.shape[-1])
        out.index_copy_(0, self.vision_N, vision_NE)
        if self.language_M.numel():
            out.index_copy_(0, self.language_M, language(flat[self.language_M]))
        return out.view(rows, length, -1)
