"""Held-out quality in the middle of training: how likely, and how right, would answers be?

Computed in one forward with the truth given: as long as every token before was right, the most
likely next one is what greedy decoding would say, so `exact` is greedy decoding's, at the cost
of a loss. What steers is smoother: the likelihood of the answers' tokens, their geometric
mean (a mean over answers was seen to swing with a few of them, and ended a run too early). The
receipt, which decides, asks the real daemon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from glm_codegen.finetune.packing import to_batch
from glm_codegen.finetune.samples import MIDDLE_WEIGHT, Row
from glm_codegen.finetune.train_state import Look
from glm_codegen.finetune.trainable import Trainable

ROWS_AT_ONCE = 4


@torch.no_grad()
def look_at(trainable: Trainable, rows: Sequence[Row], *, pad: int) -> Look:
    """Raises nothing; a run without rows to look at has score 0."""
    exact = loss = 0.0
    targets_seen = 0
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        only_answers = [
            Row(
                token_ids=row.token_ids,
                weights=tuple(float(w == MIDDLE_WEIGHT) for w in row.weights),
            )
            for row in part
        ]
        length = max(len(row.token_ids) for row in part)
        batch = to_batch([(row,) for row in only_answers], length, pad)
        logits_NV, targets_N, _ = trainable.logits(batch)
        losses_N = torch.nn.functional.cross_entropy(logits_NV.float(), targets_N, reduction="none")
        hits_N = logits_NV.argmax(dim=-1) == targets_N
        at = 0
        for row in only_answers:
            count = int(sum(row.weights))
            hits = hits_N[at : at + count]
            nats = float(losses_N[at : at + count].sum())
            exact += bool(hits.all())
            loss += nats
            targets_seen += count
            at += count
    mean = loss / max(1, targets_seen)
    score = math.exp(-mean) if rows else 0.0
    return Look(score=score, exact=exact / max(1, len(rows)), loss=mean)
