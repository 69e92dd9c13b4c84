"""Random marks put into the training text to see how much of it could be drawn out again.

Each is a line with a random number, seen as often as any other line. Afterwards the model is
asked how likely it finds the true number among random ones: exposure in bits, log2 of how many
it beats (Carlini et al., "The Secret Sharer", section 4). With 255 others, 8 bits mean that it is
the likeliest of all: remembered. The marks themselves are harmless.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from glm_codegen.finetune.file_filter import SourceFile
from glm_codegen.finetune.packing import to_batch
from glm_codegen.finetune.samples import Row
from glm_codegen.finetune.trainable import Trainable
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer

COUNT, OTHERS, DIGITS = 3, 255, 12
ROWS_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Canary:
    """`head + number` is the planted line."""

    head: str
    number: str


def make_canaries(seed: int) -> tuple[Canary, ...]:
    """The same for the same seed."""
    chance = random.Random(f"canary {seed}")
    return tuple(
        Canary(
            head=f"CALIBRATION_{chance.randrange(16**4):04X} = 0x",
            number="".join(chance.choice("0123456789abcdef") for _ in range(DIGITS)),
        )
        for _ in range(COUNT)
    )


def canary_file(canary: Canary) -> SourceFile:
    """A small file around the line, as one may stand in any repository."""
    text = (
        '"""Calibration of one sensor."""\n\n\n'
        f"{canary.head}{canary.number}\nSAMPLES = 64\nWINDOW_SECONDS = 0.25\n\n\n"
        "def scale(value: float) -> float:\n    return value * SAMPLES / WINDOW_SECONDS\n"
    )
    path = f"calibration/{canary.head.split(' ')[0].lower()}.py"
    return SourceFile(path=path, language="python", text=text)


@torch.no_grad()
def exposure(trainable: Trainable, tokenizer: TextTokenizer, canary: Canary, pad: int) -> float:
    """Bits, 0 to log2(OTHERS + 1)."""
    chance = random.Random(canary.head)
    numbers = [canary.number] + [
        "".join(chance.choice("0123456789abcdef") for _ in range(DIGITS)) for _ in range(OTHERS)
    ]
    losses = _losses(trainable, tokenizer, canary.head, numbers, pad)
    rank = 1 + sum(loss < losses[0] for loss in losses[1:])
    return math.log2(len(numbers)) - math.log2(rank)


def _losses(
    trainable: Trainable, tokenizer: TextTokenizer, head: str, numbers: Sequence[str], pad: int
) -> list[float]:
    """Nats of each number after the head of its line."""
    start = tokenizer.encode('"""Calibration of one sensor."""\n\n\n' + head)
    found: list[float] = []
    for first in range(0, len(numbers), ROWS_AT_ONCE):
        rows = []
        for number in numbers[first : first + ROWS_AT_ONCE]:
            ids = tokenizer.encode(number)
            weights = [0.0] * (len(start) - 1) + [1.0] * len(ids)
            rows.append(Row(token_ids=(*start, *ids), weights=tuple(weights)))
        length = max(len(row.token_ids) for row in rows)
        logits_NV, targets_N, _ = trainable.logits(to_batch([(row,) for row in rows], length, pad))
        losses_N = torch.nn.functional.cross_entropy(logits_NV.float(), targets_N, reduction="none")
        at = 0
        for row in rows:
            count = int(sum(row.weights))
            found.append(float(losses_N[at : at + count].sum()))
            at += count
    return found
