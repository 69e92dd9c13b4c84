"""The two super-resolution stages of CogView2, from 20 x 20 codes to 60 x 60.

Direct: [text, coarse codes, fine placeholders] in one pass. Text and coarse codes attend under a
dense mask with the base weights. A fine cell has projections of its own (`mixins.attention_plus`)
and looks at a k x k window of coarse cells around its parent and at 2k-1 rows x k columns of fine
cells, in one softmax; text reaches it through the coarse cells only.
Iterative: [text, fine codes]. Text attends text; a fine cell attends the text and the fine
window, with one set of projections. Neither is causal: what is not known yet is a placeholder.
Source: CogView2 (arXiv 2204.14217, sections 3.2 and 3.3), the released layouts.

Legend of the suffixes: B batch, H heads, T tokens, F fine tokens, D head width, E hidden width,
O offsets of the fine window, P offsets of the coarse one or text columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from glm_t2i.models.attention import dense_attention, given_mask, hide, pb_relax_softmax
from glm_t2i.models.coglm import code_logits
from glm_t2i.models.local_attention import similar, weighting
from glm_t2i.models.transformer import (
    ModelOutput,
    SelfAttention,
    Transformer,
    TransformerConfig,
    checked_ids,
    join_heads,
    split_heads,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SuperResolutionConfig:
    """`layout` are the ends of the parts in tokens; `fine_positions` rows of the second table."""

    base: TransformerConfig
    layout: tuple[int, ...]
    fine_positions: int
    kernel_size: int = 5
    kernel_size2: int = 5

    def __post_init__(self) -> None:
        if any(end <= start for start, end in zip((0, *self.layout), self.layout, strict=False)):
            raise ValueError(f"layout must grow, not {self.layout}")
        if math.isqrt(self.fine_tokens) ** 2 != self.fine_tokens:
            raise ValueError(f"the fine part of {self.layout} is no square")

    @property
    def fine_tokens(self) -> int:
        return self.layout[-1] - self.layout[-2]

    @property
    def fine_edge(self) -> int:
        return math.isqrt(self.fine_tokens)

    @property
    def fine_window(self) -> tuple[int, int]:
        """Rows and columns: not a square."""
        return 2 * self.kernel_size - 1, self.kernel_size

    @property
    def coarse_window(self) -> tuple[int, int]:
        return self.kernel_size2, self.kernel_size2


def _grid(x_BHTD: torch.Tensor, edge: int) -> torch.Tensor:
    """Cells of a square grid as a picture for the local attention, [B * H, D, edge, edge]."""
    return torch.unflatten(x_BHTD.flatten(0, 1).mT, 2, (edge, edge))


def _cells(x_PDHW: torch.Tensor, batch: int) -> torch.Tensor:
    """The inverse of `_grid`: [B, H, T, D] of a picture [B * H, D, edge, edge]."""
    return torch.unflatten(x_PDHW.flatten(2).mT, 0, (batch, -1))


class ExtraPositions(nn.Module):
    """Positions from the base model's table up."""

    def __init__(self, config: SuperResolutionConfig) -> None:
        super().__init__()
        self.position_embeddings = nn.Embedding(config.fine_positions, config.base.hidden_size)


class AttentionPlus(nn.Module):
    """Projections of the fine cells, one of each a layer."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, layers = config.hidden_size, range(config.num_layers)
        self.query_key_value = nn.ModuleList(nn.Linear(width, 3 * width) for _ in layers)
        self.dense = nn.ModuleList(nn.Linear(width, width) for _ in layers)


class _SuperResolution(nn.Module):
    """What both stages share: embeddings of two position tables, blocks, head."""

    def __init__(self, config: SuperResolutionConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = Transformer(config.base, prescaled_norm=False, holds_words=True)
        self.mixins = nn.ModuleDict({"extra_position_embedding": ExtraPositions(config)})

    def forward(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor,
        attention_mask: torch.Tensor,
    ) -> ModelOutput:
        """Logits [B, T, image codes] in float32; of the fine part, each cell's own code.

        `input_ids` int64 [B, T] in the config's layout; `position_ids` [B, T] or [T], those of
        fine cells continue after the base table; `attention_mask` 1 = may be seen: of text and
        coarse codes [P, P] (direct), of the text columns [1, P] (iterative), or with a batch.
        Raises ValueError on another length, ids out of range, or a mask that does not fit.
        """
        ids_BT = checked_ids(input_ids, vocabulary=self.config.base.vocab_size)
        if ids_BT.shape[1] != self.config.layout[-1]:
            raise ValueError(f"{ids_BT.shape[1]} ids; the layout has {self.config.layout[-1]}")
        context = self.config.layout[-2]
        seen = given_mask(attention_mask, queries=context, keys=context, one_row=True)
        seen = seen.to(ids_BT.device)
        x_BTE = self.transformer.word_embeddings(ids_BT) + self._positions(position_ids)

        def attend(layer: int, attention: SelfAttention, x_BTE: torch.Tensor) -> torch.Tensor:
            return self.attend(layer, attention, x_BTE, seen)

        normed_BTE, _ = self.transformer.run(x_BTE, attend)
        rows_VE = self.transformer.word_embeddings.weight[: self.config.base.num_image_tokens]
        return ModelOutput(logits=code_logits(normed_BTE, rows_VE))

    def attend(
        self, layer: int, attention: SelfAttention, x_BTE: torch.Tensor, seen: torch.Tensor
    ) -> torch.Tensor:
        raise NotImplementedError

    def _positions(self, position_ids: torch.Tensor) -> torch.Tensor:
        config = self.config
        first_fine = config.base.max_sequence_length
        positions = checked_ids(
            position_ids, vocabulary=first_fine + config.fine_positions, name="position_ids"
        )
        tables = (
            self.transformer.position_embeddings.weight,
            self.mixins["extra_position_embedding"].get_parameter("position_embeddings.weight"),
        )
        return torch.as_tensor(torch.cat(tables)[positions])


class DirectSuperResolution(_SuperResolution):
    """layout [text, + coarse, + fine]; released: [96, 496, 4096]."""

    def __init__(self, config: SuperResolutionConfig) -> None:
        super().__init__(config)
        self.mixins["attention_plus"] = AttentionPlus(config.base)
        coarse = config.layout[1] - config.layout[0]
        edge = math.isqrt(coarse)
        if edge * edge != coarse or config.fine_edge % edge:
            raise ValueError(f"the parts of {config.layout} are no squares that fit each other")
        self.coarse_edge = edge

    def attend(
        self, layer: int, attention: SelfAttention, x_BTE: torch.Tensor, seen: torch.Tensor
    ) -> torch.Tensor:
        text, base, _ = self.config.layout
        plus = self.mixins["attention_plus"]
        assert isinstance(plus, AttentionPlus)
        q, k, v = attention.project(x_BTE[:, :base])
        base_BTE = attention.join(dense_attention(q, k, v, seen))
        fine = split_heads(plus.query_key_value[layer](x_BTE[:, base:]), attention.heads)
        mixed_BHFD = self._fine(fine, k[:, :, text:], v[:, :, text:])
        return torch.cat((base_BTE, plus.dense[layer](join_heads(mixed_BHFD))), dim=1)

    def _fine(
        self,
        fine: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        coarse_k_BHTD: torch.Tensor,
        coarse_v_BHTD: torch.Tensor,
    ) -> torch.Tensor:
        config = self.config
        q, k, v = (_grid(x_BHFD, config.fine_edge) for x_BHFD in fine)
        q = q / math.sqrt(q.shape[1])
        coarse_k, coarse_v = (_grid(x, self.coarse_edge) for x in (coarse_k_BHTD, coarse_v_BHTD))
        scores_coarse = similar(q, coarse_k, config.coarse_window)
        scores_fine = similar(q, k, config.fine_window)
        weights = pb_relax_softmax(torch.cat((scores_coarse, scores_fine), dim=-1))
        mixed = weighting(coarse_v, weights[..., : scores_coarse.shape[-1]], config.coarse_window)
        mixed = mixed + weighting(v, weights[..., scores_coarse.shape[-1] :], config.fine_window)
        return _cells(mixed, batch=fine[0].shape[0])


class IterativeSuperResolution(_SuperResolution):
    """layout [text, + fine]; released: [16, 3616]."""

    def attend(
        self, layer: int, attention: SelfAttention, x_BTE: torch.Tensor, seen: torch.Tensor
    ) -> torch.Tensor:
        del layer  # one set of projections serves text and cells
        text, edge = self.config.layout[0], self.config.fine_edge
        q, k, v = attention.project(x_BTE)
        text_k, text_v = k[:, :, :text], v[:, :, :text]
        text_BHTD = dense_attention(q[:, :, :text], text_k, text_v, seen)
        fine_q = q[:, :, text:] / math.sqrt(q.shape[-1])
        open_columns = seen[:, :, -1:]  # the same for every row
        scores_text_BHFP = hide(fine_q @ text_k.mT, open_columns)
        scores_fine = similar(
            _grid(fine_q, edge), _grid(k[:, :, text:], edge), self.config.fine_window
        )
        scores_fine_BHFO = torch.unflatten(scores_fine.flatten(1, 2), 0, (q.shape[0], -1))
        weights = pb_relax_softmax(torch.cat((scores_text_BHFP, scores_fine_BHFO), dim=-1))
        window_weights = weights[..., text:].flatten(0, 1).view(scores_fine.shape)
        mixed = weighting(_grid(v[:, :, text:], edge), window_weights, self.config.fine_window)
        mixed_BHFD = _cells(mixed, batch=q.shape[0]) + weights[..., :text] @ text_v
        return attention.join(torch.cat((text_BHTD, mixed_BHFD), dim=2))
