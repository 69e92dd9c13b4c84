"""CogView's two directions: a picture's codes from text, and text from a picture's codes.

    [ROI1] text [BASE] [BOI1] codes          [BASE] [BOI1] codes [EOI1] [ROI1] text

Released sampling: top-k 200 at temperature 1.0. Text and codes are ids; tokenizers are elsewhere.
Source: CogView (arXiv 2105.13290, section 2.1), the released sequences.

Legend of the suffixes: B batch, T tokens, N new tokens, h w rows and columns of codes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from glm_protocol.errors import PromptTooLong
from glm_t2i.models.cogview import CogView
from glm_t2i.models.key_value_cache import KeyValueCache
from glm_t2i.pipelines.filling import HOLE, OnStep, Pass, fill
from glm_t2i.pipelines.sampling import Chooser
from glm_t2i.pipelines.vocabulary import CogViewIds

RELEASED_EDGE = 32  # codes either way


def text_to_codes(
    model: CogView,
    ids: CogViewIds,
    text_ids: Sequence[int],
    *,
    choose: Chooser,
    edge: int = RELEASED_EDGE,
    samples: int = 1,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """Codes int64 [samples, edge, edge] for one text.

    `text_ids` come from the text tokenizer, already behind the image codes. Raises
    PromptTooLong when text and codes do not fit the positions, ValueError on ids that are not
    text.
    """
    context = text_context(ids, text_ids)
    tokens = complete(
        model, context + [HOLE] * edge * edge,
        choose=choose, legal=ids.codes, samples=samples, on_step=on_step,
    )  # fmt: skip
    return tokens[:, len(context) :].reshape(samples, edge, edge)


def codes_to_text(
    model: CogView,
    ids: CogViewIds,
    codes_hw: torch.Tensor,
    *,
    tokens: int,
    choose: Chooser,
    samples: int = 1,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """Text ids int64 [samples, tokens] for one picture, codes int64 [h, w].

    Needs weights fine-tuned for captions to say anything of use.
    """
    context = image_context(ids, codes_hw)
    found = complete(
        model, context + [HOLE] * tokens,
        choose=choose, legal=ids.text, samples=samples, on_step=on_step,
    )  # fmt: skip
    return found[:, len(context) :]


def text_context(ids: CogViewIds, text_ids: Sequence[int]) -> list[int]:
    """`[ROI1] text [BASE] [BOI1]`. Raises ValueError on ids that are not text."""
    wrong = [token for token in text_ids if token not in ids.text]
    if wrong:
        raise ValueError(f"{wrong[0]} is no text id; those are {ids.text.start}..{ids.text[-1]}")
    return [ids.command("[ROI1]"), *text_ids, *ids.commands("[BASE] [BOI1]")]


def image_context(ids: CogViewIds, codes_hw: torch.Tensor) -> list[int]:
    """`[BASE] [BOI1] codes [EOI1] [ROI1]`."""
    codes: list[int] = codes_hw.reshape(-1).tolist()
    return [*ids.commands("[BASE] [BOI1]"), *codes, *ids.commands("[EOI1] [ROI1]")]


def complete(
    model: CogView,
    sequence: Sequence[int],
    *,
    choose: Chooser,
    legal: range,
    samples: int = 1,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """A sequence with holes, filled under the causal mask: int64 [samples, T]."""
    if len(sequence) > model.config.max_sequence_length:
        raise PromptTooLong(
            f"Text and picture take {len(sequence)} places; this model has "
            f"{model.config.max_sequence_length}."
        )
    device = model.word_embeddings.weight.device
    return fill(
        torch.tensor([list(sequence)], device=device),
        model_pass=causal_pass(model),
        layers=model.config.num_layers,
        choose=choose,
        legal=legal,
        samples=samples,
        on_step=on_step,
    )


def causal_pass(model: CogView, positions_T: torch.Tensor | None = None) -> Pass:
    """One pass over new ids; `positions_T` where they are not simply counted on."""

    def run(new_BN: torch.Tensor, start: int, cache: KeyValueCache) -> torch.Tensor:
        end = start + new_BN.shape[1]
        positions = None if positions_T is None else positions_T[start:end]
        logits: torch.Tensor = model(new_BN, positions, cache=cache, last=1).logits
        return logits

    return run
