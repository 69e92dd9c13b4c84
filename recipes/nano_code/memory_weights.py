"""Fits how much the workspace memory may say: `models/nano-code/memory.json`.

`python -m recipes.nano_code.memory_weights` takes spots of the corpus's held-out packages, gives
the memory the other files of each package, and asks at every token of the answer what model and
memory thought of it. The shares are fitted by gradient on half of the spots and judged on the
other half; then on all of them. To be run again after a retrain.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from glm_codegen.completion_memory import CompletionMemory, TextIds, document_ids, file_memory
from glm_codegen.vocabulary import Vocabulary
from glm_codegen.workspace_memory import WEIGHTS
from glm_runtime.memory_mix import SHAPE, MemoryWeights, bucket
from glm_runtime.token_memory import LONGEST, TokenMemory
from recipes.nano_code.completer import Completer
from recipes.nano_code.corpus import SourceFile, read_files
from recipes.nano_code.samples import END
from recipes.nano_code.spots import Spot, draw_spots
from recipes.nano_code.tokenizer import MODEL

LONGEST_ANSWER = 40  # tokens
SLOTS = 2 * LONGEST  # most pieces of evidence for one token
STEPS, RATE, TIE = 300, 0.08, 2e-5  # TIE pulls what was hardly seen towards a small share
SMALL_SHARE_LOGIT = -1.0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One token: what the model gave it, and each evidence's place in the table and share."""

    spot: int
    chance: float
    evidence: tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Tensors over tokens T and evidence slots E."""

    place_TE: torch.Tensor
    share_TE: torch.Tensor
    met_TE: torch.Tensor
    chance_T: torch.Tensor


def memories(files: Sequence[SourceFile], vocabulary: Vocabulary) -> dict[str, TokenMemory]:
    """A memory for each package."""
    texts: dict[str, list[tuple[str, str]]] = {}
    for file in files:
        texts.setdefault(file.package, []).append((file.path, file.text))
    found = {}
    for package, documents in texts.items():
        found[package] = TokenMemory()
        found[package].add(document_ids(documents, vocabulary))
    return found


@torch.no_grad()
def model_chances(completer: Completer, spot: Spot, answer: Sequence[int]) -> torch.Tensor:
    """The model's probability of each token of the answer."""
    prompt = completer.prompt(spot.context, spot.mode, LONGEST_ANSWER)
    tokens = torch.tensor([[*prompt.token_ids, *answer]])
    logits = completer.network(tokens).logits[0, len(prompt.token_ids) - 1 : -1].float()
    return logits.softmax(-1).gather(1, torch.tensor(answer)[:, None])[:, 0]


def ask(completer: Completer, files: Sequence[SourceFile], spots: Sequence[Spot]) -> list[Asked]:
    """Every token of every answer."""
    vocabulary = Vocabulary(completer.tokenizer)
    held, ids = memories(files, vocabulary), TextIds(vocabulary)
    end = completer.tokenizer.control_id(END)
    assert end is not None
    found = []
    for number, spot in enumerate(spots):
        answer = [*completer.tokenizer.encode(spot.truth)[:LONGEST_ANSWER], end]
        chances = model_chances(completer, spot, answer).tolist()
        memory = CompletionMemory(
            spot.context, spot.mode, vocabulary=vocabulary, weights=None,
            file=file_memory(spot.context, ids), workspace=held[spot.package], end=end,
        )  # fmt: skip
        for at, token in enumerate(answer):
            seen = memory.seen(completer.tokenizer.decode(answer[:at]))
            evidence = []
            for source, by_length in enumerate(seen):
                for length, followers in enumerate(by_length):
                    if followers is not None:
                        count, share = bucket(followers)
                        place = ((source * LONGEST + length) * SHAPE[2] + count) * SHAPE[3] + share
                        hits = int(followers.counts[followers.tokens == token].sum())
                        evidence.append((length, source, place, hits / followers.total))
            ordered = tuple((place, hit) for _, _, place, hit in sorted(evidence))
            found.append(Asked(spot=number, chance=chances[at], evidence=ordered))
    return found


def batch(asked: Sequence[Asked]) -> Batch:
    size = (len(asked), SLOTS)
    place, share, met = torch.zeros(size, dtype=torch.long), torch.zeros(size), torch.zeros(size)
    for row, one in enumerate(asked):
        for slot, (where, hit) in enumerate(one.evidence):
            place[row, slot], share[row, slot], met[row, slot] = where, hit, 1.0
    chances = torch.tensor([one.chance for one in asked])
    return Batch(place_TE=place, share_TE=share, met_TE=met, chance_T=chances)


def loss_T(logit: torch.Tensor, data: Batch) -> torch.Tensor:
    """Nats of each token, mixed as `memory_mix.mix` does."""
    weight_TE = torch.sigmoid(logit.view(-1)[data.place_TE]) * data.met_TE
    chance_T = data.chance_T
    for slot in range(SLOTS):
        weight_T = weight_TE[:, slot]
        chance_T = (1 - weight_T) * chance_T + weight_T * data.share_TE[:, slot]
    return -(chance_T + 1e-9).log()


def fit(data: Batch) -> torch.Tensor:
    logit = torch.full(SHAPE, 2 * SMALL_SHARE_LOGIT, requires_grad=True)
    optimiser = torch.optim.Adam([logit], lr=RATE)
    for _ in range(STEPS):
        tie = TIE * ((logit - SMALL_SHARE_LOGIT) ** 2).sum()
        loss = loss_T(logit, data).mean() + tie
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return logit.detach()


def main() -> None:
    """Fit, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-language", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    files = list(read_files("held-out"))
    spots = draw_spots(files, per_language=arguments.per_language)
    asked = ask(Completer(), files, spots)
    order = list(range(len(spots)))
    random.Random(0).shuffle(order)
    half = set(order[: len(order) // 2])
    judged = batch([one for one in asked if one.spot not in half])
    fitted = fit(batch([one for one in asked if one.spot in half]))
    alone = float(-judged.chance_T.clamp_min(1e-9).log().mean())
    both = float(loss_T(fitted, judged).mean())
    print(
        f"{len(asked)} tokens; other half: model {alone:.3f} nats a token, with memory {both:.3f}"
    )
    table = torch.sigmoid(fit(batch(asked))).clamp(max=0.995)
    weights = MemoryWeights.from_array(table.numpy())
    wire = {
        "made_by": "python -m recipes.nano_code.memory_weights",
        "tokens": len(asked),
        "nats_model": round(alone, 3),
        "nats_with_memory": round(both, 3),
        "table": weights.table,
    }
    (MODEL / WEIGHTS).write_text(json.dumps(wire) + "\n", encoding="utf-8")
    assert math.isfinite(both)


if __name__ == "__main__":
    main()
