"""CogLM, the first stage of CogView2: what may be seen is decided by the mask alone.

The same Sandwich-LN transformer as CogView, without the scaling of LayerNorm, with all weights
under `transformer.`. Its head is the first `num_image_tokens` rows of the word embeddings; text
is scored with the whole table. Masks and positions: `glm_t2i.pipelines.coglm_sequence`.
Source: CogView2 (arXiv 2204.14217, section 3.1), the layout of the released checkpoint.

Legend of the suffixes: B batch, T new tokens, E hidden width, V image codes or vocabulary.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from glm_t2i.models.attention import attention_mask as as_mask
from glm_t2i.models.attention import dense_attention
from glm_t2i.models.key_value_cache import KeyValueCache
from glm_t2i.models.transformer import (
    ModelOutput,
    SelfAttention,
    Transformer,
    TransformerConfig,
    checked_ids,
)


class CogLM(nn.Module):
    """The released sizes are 48 x 3072, 48 heads, 150,010 ids of which 20,000 image codes."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = Transformer(config, prescaled_norm=False, holds_words=True)

    def forward(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | int | None = None,
        *,
        boost: torch.Tensor | None = None,
        cache: KeyValueCache | None = None,
        whole_vocabulary: bool = False,
        last: int = 0,
        keep_hidden: bool = False,
    ) -> ModelOutput:
        """Logits [B, T, V] in float32, over image codes or over the `whole_vocabulary`; of the
        `last` tokens only if not 0.

        `input_ids` int64 [B, T]; `position_ids` [B, T] or [T], counted on from the cache if None;
        `attention_mask` as in `attention.attention_mask`, for the new rows. `boost` is added to
        the scores before masking, broadcastable to [B, heads, T, keys]; [keys] boosts columns.
        Raises ValueError on ids, positions or masks that do not fit.
        """
        ids_BT = checked_ids(input_ids, vocabulary=self.config.vocab_size)
        past = 0 if cache is None else cache.length
        if position_ids is None:
            position_ids = torch.arange(past, past + ids_BT.shape[1], device=ids_BT.device)
        positions = checked_ids(
            position_ids, vocabulary=self.config.max_sequence_length, name="position_ids"
        )
        words = self.transformer.word_embeddings
        x_BTE = words(ids_BT) + self.transformer.position_embeddings(positions)
        keys = past + ids_BT.shape[1]
        seen = as_mask(attention_mask, queries=ids_BT.shape[1], keys=keys, device=ids_BT.device)

        def attend(layer: int, attention: SelfAttention, x_BTE: torch.Tensor) -> torch.Tensor:
            q, k, v = attention.project(x_BTE)
            if cache is not None:
                k, v = cache.append(layer, k, v)
            return attention.join(dense_attention(q, k, v, seen, boost=boost))

        normed_BTE, hidden = self.transformer.run(x_BTE, attend, keep_hidden=keep_hidden)
        rows = self.config.vocab_size if whole_vocabulary else self.config.num_image_tokens
        logits_BTV = code_logits(normed_BTE[:, -last:], words.weight[:rows])
        return ModelOutput(logits=logits_BTV, hidden_states=hidden)


def code_logits(normed_BTE: torch.Tensor, rows_VE: torch.Tensor) -> torch.Tensor:
    """The head of all CogView2 stages, in float32 whatever the weights are: [B, T, V]."""
    return F.linear(normed_BTE.float(), rows_VE.float())
