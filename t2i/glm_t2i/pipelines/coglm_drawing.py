"""CogLM at work: draw a picture's codes, fill in a region, score a text.

The prompt and, in an infill, the whole context cost one pass for all samples.
Source: CogView2 (arXiv 2204.14217, sections 3.1 and 4.2), the released inference.

Legend of the suffixes: B samples, N new tokens, T tokens, V vocabulary, h w codes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from glm_t2i.models.coglm import CogLM
from glm_t2i.models.key_value_cache import KeyValueCache
from glm_t2i.pipelines.coglm_sequence import (
    FIRST_CODE_POSITION,
    CogLMSequence,
    checked_text,
    drawing_sequence,
    infill_sequence,
)
from glm_t2i.pipelines.filling import OnStep, Pass, fill
from glm_t2i.pipelines.sampling import Chooser
from glm_t2i.pipelines.vocabulary import IcetkIds

RELEASED_EDGE = 20  # codes either way


def draw_codes(
    model: CogLM,
    ids: IcetkIds,
    text_ids: Sequence[int],
    *,
    choose: Chooser,
    edge: int = RELEASED_EDGE,
    samples: int = 1,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """Codes int64 [samples, edge, edge]. Raises PromptTooLong, ValueError on an empty text."""
    sequence = drawing_sequence(ids, text_ids, edge=edge)
    filled_BT = fill_sequence(model, sequence, choose=choose, samples=samples, on_step=on_step)
    return sequence.picture(filled_BT, edge)


def infill_codes(
    model: CogLM,
    ids: IcetkIds,
    text_ids: Sequence[int],
    codes_hw: torch.Tensor,
    region_hw: torch.Tensor,
    *,
    choose: Chooser,
    samples: int = 1,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """The picture [h, w] with the region drawn anew, int64 [samples, h, w]; the rest stays."""
    sequence = infill_sequence(ids, text_ids, codes_hw, region_hw)
    filled_BT = fill_sequence(model, sequence, choose=choose, samples=samples, on_step=on_step)
    return sequence.picture(filled_BT, codes_hw.shape[-1])


def fill_sequence(
    model: CogLM,
    sequence: CogLMSequence,
    *,
    choose: Chooser,
    samples: int = 1,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """Every hole filled, int64 [samples, T]."""
    device = model.transformer.word_embeddings.weight.device
    return fill(
        sequence.ids_T[None].to(device),
        model_pass=_masked_pass(model, sequence),
        layers=model.config.num_layers,
        choose=choose,
        legal=range(model.config.num_image_tokens),
        samples=samples,
        on_step=on_step,
    )


def _masked_pass(model: CogLM, sequence: CogLMSequence) -> Pass:
    def run(new_BN: torch.Tensor, start: int, cache: KeyValueCache) -> torch.Tensor:
        end = start + new_BN.shape[1]
        logits: torch.Tensor = model(
            new_BN,
            sequence.positions_T[start:end].to(new_BN.device),
            sequence.mask_QK[start:end, :end].to(new_BN.device),
            boost=sequence.boost(end).to(new_BN.device),
            cache=cache,
            last=1,
        ).logits
        return logits

    return run


def score_text(
    model: CogLM, ids: IcetkIds, codes_Bhw: torch.Tensor, text_ids: Sequence[int]
) -> torch.Tensor:
    """Mean log-probability [B] of a text after each picture: CogView2's post-selection.

    [codes][start of English or Chinese][text]: codes at positions 513.. and open to all rows,
    text from 0, causal. Higher is better. Raises as `draw_codes`.
    """
    text = checked_text(text_ids)
    device = model.transformer.word_embeddings.weight.device
    codes_BT = codes_Bhw.flatten(1).to(device)
    start = torch.tensor([ids.start_of_text(text), *text], device=device)
    tokens_BT = torch.cat((codes_BT, start.expand(len(codes_BT), -1)), dim=1)
    codes = codes_BT.shape[1]
    positions_T = torch.cat(
        (torch.arange(codes) + FIRST_CODE_POSITION, torch.arange(len(start)))
    ).to(device)
    output = model(tokens_BT[:, :-1], positions_T[:-1], codes, whole_vocabulary=True)
    logs_BTV = torch.as_tensor(output.logits[:, codes:]).log_softmax(dim=-1)
    return logs_BTV.gather(2, tokens_BT[:, codes + 1 :, None])[..., 0].mean(dim=1)
