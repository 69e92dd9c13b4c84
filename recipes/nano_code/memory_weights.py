"""Fits how much memories may say: `models/nano-code/memory.json`.

`python -m recipes.nano_code.memory_weights` lays the corpus's held-out packages out as folders,
cuts holes into them as `glm-lsp eval repo` does, and asks at every token of the answers what the
model thought of it, what followed in the package's other files, in the pieces that the workspace's
index gathers for the place, and in the open file. Each token counts three times: with everything,
without the package's memory (a workspace that was not fed, or is too large) and without the
pieces; so one table serves all of these. The shares are fitted by gradient on half of the holes
and judged on the other half; then on all of them. To be run again after a retrain.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from glm_codegen.completion_memory import CompletionMemory, NearMemories, document_ids
from glm_codegen.evaluate.repo_command import places_of
from glm_codegen.evaluate.repository_holes import workspace_texts
from glm_codegen.evaluate.repository_run import AFTER, BEFORE
from glm_codegen.model_context import for_prompt
from glm_codegen.vocabulary import Vocabulary
from glm_codegen.workspace_memory import WEIGHTS
from glm_context.gathered import CursorSite
from glm_context.workspace_context import WorkspaceContext
from glm_protocol.completion import CodeContext, CompletionMode
from glm_runtime.memory_mix import SHAPE, SOURCES, MemoryWeights, bucket
from glm_runtime.token_memory import LONGEST, TokenMemory
from recipes.nano_code.completer import Completer
from recipes.nano_code.corpus import read_files
from recipes.nano_code.samples import END
from recipes.nano_code.tokenizer import MODEL

LONGEST_ANSWER = 40  # tokens
SNIPPETS = 3_600  # characters for a prompt
SLOTS = len(SOURCES) * LONGEST  # most pieces of evidence for one token
STEPS, RATE, TIE = 300, 0.08, 2e-5  # TIE pulls what was hardly seen towards a small share
SMALL_SHARE_LOGIT = -1.0
ABSENT = (None, "workspace", "context")  # what is missing, each time a token counts


@dataclass(frozen=True, kw_only=True)
class Question:
    """One hole of a package: what an editor would send, and the text that was there."""

    context: CodeContext
    mode: CompletionMode
    truth: str
    workspace: TokenMemory


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One token: what the model gave it, and each evidence's place in the table and share."""

    question: int
    chance: float
    evidence: tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Tensors over tokens T and evidence slots E."""

    place_TE: torch.Tensor
    share_TE: torch.Tensor
    met_TE: torch.Tensor
    chance_T: torch.Tensor


def questions(folder: Path, vocabulary: Vocabulary, *, holes: int) -> Iterator[Question]:
    """Holes of the held-out packages, laid out below `folder`."""
    for file in read_files("held-out"):
        path = folder / "packages" / file.package / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
    for root in sorted((folder / "packages").iterdir()):
        memory = TokenMemory()
        memory.add(document_ids(list(workspace_texts(root)), vocabulary))
        with WorkspaceContext(root, home=folder / "home") as workspace:
            workspace.build()
            for place in places_of(root, holes=holes, quiet=0, seed=7):
                source, text = place.source, place.source.text
                before, after = text[: place.start], text[place.end :]
                site = CursorSite(path=source.path, language=source.language,
                                  text=before + after, offset=place.start)  # fmt: skip
                context = CodeContext(
                    path=source.path, language=source.language, prefix=before[-BEFORE:],
                    suffix=after[:AFTER], snippets=workspace.gather(site).snippets,
                )  # fmt: skip
                yield Question(
                    context=context, mode=place.mode, truth=place.truth, workspace=memory
                )


@torch.no_grad()
def model_chances(
    completer: Completer, context: CodeContext, mode: CompletionMode, answer: Sequence[int]
) -> list[float]:
    """The model's probability of each token of the answer."""
    prompt = completer.prompt(for_prompt(context, SNIPPETS), mode, LONGEST_ANSWER)
    tokens = torch.tensor([[*prompt.token_ids, *answer]])
    logits = completer.network(tokens).logits[0, len(prompt.token_ids) - 1 : -1].float()
    found: list[float] = logits.softmax(-1).gather(1, torch.tensor(answer)[:, None])[:, 0].tolist()
    return found


def ask(
    completer: Completer, vocabulary: Vocabulary, number: int, question: Question
) -> list[Asked]:
    """Every token of an answer, once for everything and once for each thing that may be absent."""
    near = NearMemories(vocabulary)
    end = completer.tokenizer.control_id(END)
    assert end is not None
    context, bare = question.context, replace(question.context, snippets=())
    answer = [*completer.tokenizer.encode(question.truth)[:LONGEST_ANSWER], end]
    chances = model_chances(completer, context, question.mode, answer)
    alone = model_chances(completer, bare, question.mode, answer)
    memory = CompletionMemory(
        context, question.mode, vocabulary=vocabulary, weights=None, file=near.file(context),
        pieces=near.pieces(context), workspace=question.workspace, end=end,
    )  # fmt: skip
    found = []
    for at, token in enumerate(answer):
        evidence = []
        for source, by_length in enumerate(memory.seen(completer.tokenizer.decode(answer[:at]))):
            for length, followers in enumerate(by_length):
                if followers is not None:
                    count, share = bucket(followers)
                    place = ((source * LONGEST + length) * SHAPE[2] + count) * SHAPE[3] + share
                    hits = int(followers.counts[followers.tokens == token].sum())
                    evidence.append((length, source, place, hits / followers.total))
        for absent in ABSENT:
            chance = alone[at] if absent == "context" else chances[at]
            kept = tuple(
                (place, hit)
                for _, source, place, hit in sorted(evidence)
                if SOURCES[source] != absent
            )
            found.append(Asked(question=number, chance=chance, evidence=kept))
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
    parser.add_argument("--holes", type=int, default=20, help="of each package")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    completer = Completer()
    completer.network.float()  # quicker than bfloat16 one prompt at a time
    vocabulary = Vocabulary(completer.tokenizer)
    asked: list[Asked] = []
    count = 0
    with tempfile.TemporaryDirectory(prefix="glm-memory-") as name:
        for question in questions(Path(name), vocabulary, holes=arguments.holes):
            asked += ask(completer, vocabulary, count, question)
            count += 1
    order = list(range(count))
    random.Random(0).shuffle(order)
    half = set(order[: len(order) // 2])
    judged = batch([one for one in asked if one.question not in half])
    fitted = fit(batch([one for one in asked if one.question in half]))
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
