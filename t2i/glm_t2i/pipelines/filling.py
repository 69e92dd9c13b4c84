"""Token-by-token decoding of a sequence in which some places are given and others are not.

What is given is fed in whole runs; a hole costs one pass. The prompt is computed for one row and
its cache copied to all samples. This is raster decoding; CogView2's refinement in
`refinement` decodes in parallel.

Legend of the suffixes: B batch, T tokens, N new tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from glm_t2i.models.key_value_cache import KeyValueCache
from glm_t2i.pipelines.sampling import Chooser

HOLE = -1
# (new ids [B, N], index of the first, cache) -> logits [B, 1 or N, V]
Pass = Callable[[torch.Tensor, int, KeyValueCache], torch.Tensor]
# (steps done, steps in all); called between steps, may raise to give up or wait to give way
OnStep = Callable[[int, int], None]


def fill(
    sequence_BT: torch.Tensor,
    *,
    model_pass: Pass,
    layers: int,
    choose: Chooser,
    legal: range,
    samples: int | None = None,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """The sequence with every HOLE replaced, int64 [B, T].

    `legal`: the ids that may be chosen. `samples`: copies of a single row, each filled on its
    own. Raises ValueError if rows have holes in different places, if the first id is a hole, or
    if `samples` is given with more than one row.
    """
    tokens = sequence_BT.clone()
    holes = _holes(tokens)
    rows = tokens.shape[0] if samples is None else samples
    if rows < 1 or (samples is not None and tokens.shape[0] != 1):
        raise ValueError("samples must be at least 1, of one row")
    cache = KeyValueCache(layers, capacity=tokens.shape[1])
    fed = 0
    for step, hole in enumerate(holes):
        logits_BV = model_pass(tokens[:, fed:hole], fed, cache)[:, -1]
        if tokens.shape[0] != rows:
            tokens, logits_BV = tokens.repeat(rows, 1), logits_BV.expand(rows, -1)
            cache = cache.expanded(rows)
        tokens[:, hole] = choose(logits_BV[:, legal.start : legal.stop]) + legal.start
        fed = hole
        if on_step is not None:
            on_step(step + 1, len(holes))
    return tokens.expand(rows, -1)


def _holes(tokens_BT: torch.Tensor) -> list[int]:
    empty_BT = tokens_BT == HOLE
    if bool((empty_BT != empty_BT[:1]).any()):
        raise ValueError("all rows must have their holes in the same places")
    holes: list[int] = empty_BT[0].nonzero()[:, 0].tolist()
    if holes and holes[0] == 0:
        raise ValueError("the first id must be given")
    return holes
