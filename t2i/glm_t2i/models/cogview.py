"""CogView: one causal transformer over text, commands and image codes.

The vocabulary is [image codes][text pieces][commands][padding]; the output is tied to the word
embeddings. The published PB-relax softmax is used, and the released scaling of every LayerNorm.
Generation, scores and super-resolution are built on it in `glm_t2i.pipelines`.
Source: CogView (arXiv 2105.13290), the layout of the released checkpoint.

Legend of the suffixes: B batch, T new tokens, E hidden width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from glm_t2i.models.attention import attention_mask as as_mask
from glm_t2i.models.attention import dense_attention
from glm_t2i.models.key_value_cache import KeyValueCache
from glm_t2i.models.sparse_attention import (
    SparseStep,
    SparseTraining,
    attend_in_step,
    attend_in_training,
)
from glm_t2i.models.transformer import (
    Attend,
    ModelOutput,
    SelfAttention,
    Transformer,
    TransformerConfig,
    checked_ids,
)


class CogView(nn.Module):
    """`TransformerConfig` gives the sizes; the released one is 48 x 2560, 40 heads, 58,240 ids."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.transformer = Transformer(config, prescaled_norm=True, holds_words=False)

    def forward(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | int | None = None,
        *,
        cache: KeyValueCache | None = None,
        sparse: SparseTraining | SparseStep | None = None,
        last: int = 0,
        keep_hidden: bool = False,
    ) -> ModelOutput:
        """Logits [B, T, V] of the token after each, or after the `last` ones only if not 0.

        `input_ids` int64 [B, T]; `position_ids` [B, T] or [T], counted on from the cache if
        None; `attention_mask` as in `attention.attention_mask` (an integer n opens columns below
        n to every row). With `cache`, ids are the new tokens and are appended to it. `sparse`
        replaces the mask; a `SparseStep` needs a cache and one new token.
        Raises ValueError on ids, positions or masks that do not fit.
        """
        ids_BT = checked_ids(input_ids, vocabulary=self.config.vocab_size)
        past = 0 if cache is None else cache.length
        x_BTE = self.word_embeddings(ids_BT) + self._positions(position_ids, ids_BT, past)
        attend = self._attend(ids_BT, past, attention_mask, cache, sparse)
        normed_BTE, hidden = self.transformer.run(x_BTE, attend, keep_hidden=keep_hidden)
        logits_BTV = F.linear(normed_BTE[:, -last:], self.word_embeddings.weight)
        return ModelOutput(logits=logits_BTV, hidden_states=hidden)

    def _positions(
        self, position_ids: torch.Tensor | None, ids_BT: torch.Tensor, past: int
    ) -> torch.Tensor:
        if position_ids is None:
            position_ids = torch.arange(past, past + ids_BT.shape[1], device=ids_BT.device)
        positions = checked_ids(
            position_ids, vocabulary=self.config.max_sequence_length, name="position_ids"
        )
        return torch.as_tensor(self.transformer.position_embeddings(positions))

    def _attend(
        self,
        ids_BT: torch.Tensor,
        past: int,
        mask: torch.Tensor | int | None,
        cache: KeyValueCache | None,
        sparse: SparseTraining | SparseStep | None,
    ) -> Attend:
        new = ids_BT.shape[1]
        if isinstance(sparse, SparseStep) and (cache is None or new != 1):
            raise ValueError("a SparseStep needs a cache and exactly one new token")
        if isinstance(sparse, SparseTraining) and cache is not None:
            raise ValueError("SparseTraining takes whole sequences, without a cache")
        seen = as_mask(mask, queries=new, keys=past + new, device=ids_BT.device)

        def attend(layer: int, attention: SelfAttention, x_BTE: torch.Tensor) -> torch.Tensor:
            q, k, v = attention.project(x_BTE)
            if cache is not None:
                k, v = cache.append(layer, k, v)
            if isinstance(sparse, SparseTraining):
                mixed = attend_in_training(
                    q, k, v, sparse.pivots_LBP[layer],
                    window=sparse.window, window_times=sparse.window_times,
                )  # fmt: skip
            elif isinstance(sparse, SparseStep):
                mixed = attend_in_step(q, k, v, sparse.keys_LBK[layer])
            else:
                mixed = dense_attention(q, k, v, seen)
            return attention.join(mixed)

        return attend
