"""How well a caption fits a picture, by CogView: the log-probability of the text after the codes.

    [BASE] [BOI1] codes [EOI1] [ROI1] text,  score = sum over text of log p(piece | before)

with the codes themselves forbidden. The sum is comparable between pictures for one text only;
`per_piece` divides by the count of pieces, for texts of different length. Higher is better.
Needs weights fine-tuned for captions. Source: CogView (arXiv 2105.13290, section 3.3).

Legend of the suffixes: B batch, T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from glm_t2i.models.cogview import CogView
from glm_t2i.models.key_value_cache import KeyValueCache
from glm_t2i.pipelines.cogview_drawing import image_context, text_context
from glm_t2i.pipelines.vocabulary import CogViewIds


def score_sequences(model: CogView, ids: CogViewIds, sequences_BT: torch.Tensor) -> torch.Tensor:
    """Scores [B] of whole sequences as above, int64 [B, T], text to the end of every row.

    Raises ValueError unless `[EOI1] [ROI1]` stand in the same place of every row, text after it.
    """
    mark = torch.tensor(ids.commands("[EOI1] [ROI1]"), device=sequences_BT.device)
    places = (sequences_BT.unfold(1, 2, 1) == mark).all(dim=2).nonzero()
    starts = {int(place) + 2 for place in places[:, 1]}
    if len(places) != len(sequences_BT) or len(starts) != 1 or max(starts) >= sequences_BT.shape[1]:
        raise ValueError("every row needs its [EOI1] [ROI1] in the same place, and text after it")
    start = starts.pop()
    logits_BTV = model(sequences_BT[:, :-1], last=sequences_BT.shape[1] - start).logits
    return _sum_of_logs(logits_BTV, sequences_BT[:, start:], ids)


def score_captions(
    model: CogView,
    ids: CogViewIds,
    codes_hw: torch.Tensor,
    captions: Sequence[Sequence[int]],
    *,
    per_piece: bool = False,
) -> torch.Tensor:
    """Scores of several captions (text ids each) for one picture [h, w]: float [captions].

    The picture is computed once.
    """
    device = model.word_embeddings.weight.device
    context = torch.tensor([image_context(ids, codes_hw)], device=device)
    cache = KeyValueCache(model.config.num_layers, capacity=context.shape[1])
    first_BV = model(context, cache=cache, last=1).logits
    scores = []
    for caption in captions:
        text_context(ids, caption)  # raises on ids that are not text
        if not caption:
            raise ValueError("a caption must not be empty")
        text = torch.tensor([list(caption)], device=device)
        logits_BTV = first_BV
        if len(caption) > 1:
            rest = model(text[:, :-1], cache=cache.expanded(1)).logits
            logits_BTV = torch.cat((first_BV, rest), dim=1)
        score = _sum_of_logs(logits_BTV, text, ids)
        scores.append(score / len(caption) if per_piece else score)
    return torch.cat(scores)


def rank(scores: torch.Tensor) -> list[int]:
    """Indices from the best to the worst."""
    order: list[int] = scores.argsort(descending=True, stable=True).tolist()
    return order


def _sum_of_logs(logits_BTV: torch.Tensor, text_BT: torch.Tensor, ids: CogViewIds) -> torch.Tensor:
    allowed_BTV = logits_BTV.float().clone()
    allowed_BTV[..., : ids.image_tokens] = float("-inf")
    logs_BTV = allowed_BTV.log_softmax(dim=-1)
    return logs_BTV.gather(2, text_BT[:, :, None])[..., 0].sum(dim=1)
