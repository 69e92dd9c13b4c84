"""The receipt: what an adapter is worth, asked through the real daemon, as an editor asks.

Each question is asked four ways: base, base with related text, adapter, adapter with related
text; in an order that turns with the question, so that nothing the engine remembers helps one
way more than another. General code is asked with and without the adapter.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from glm_client.daemon_client import Answer
from glm_codegen.finetune.run_folder import Asked
from glm_codegen.finetune.scoring import Score, differences, means, score
from glm_protocol.completion import CompletionMode, CompletionRequest, GhostText
from glm_protocol.request_fields import Trigger

MAX_TOKENS = {CompletionMode.LINE: 64, CompletionMode.BLOCK: 160, CompletionMode.AUTO: 64}
DEADLINE_MS = 120_000
LARGEST_LOSS = 0.02  # of edit similarity on general code
EXAMPLES = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way of asking."""

    key: str
    adapter: bool
    related: bool


WAYS = (
    Way(key="base", adapter=False, related=False),
    Way(key="base_retrieval", adapter=False, related=True),
    Way(key="adapter", adapter=True, related=False),
    Way(key="adapter_retrieval", adapter=True, related=True),
)
Done = Callable[[int, int], None]  # questions asked, of how many


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What came of the questions: answers by way, in the order of the questions."""

    questions: tuple[Asked, ...]
    answers: Mapping[str, tuple[str, ...]]

    def scores(self, key: str) -> list[Score]:
        return [
            score(asked.context.path, answer, asked.truth)
            for asked, answer in zip(self.questions, self.answers[key], strict=True)
        ]


class Asks(Protocol):
    """What is asked of a daemon's client; tests stand in with an engine of their own."""

    async def whole(self, request: CompletionRequest, /) -> Answer: ...


async def ask_all(
    client: Asks,
    questions: Sequence[Asked],
    ways: Sequence[Way],
    *,
    model: str,
    adapter: str,
    done: Done,
) -> Judged:
    """Raises GlmError: the daemon's own, or DaemonUnreachable."""
    answers: dict[str, list[str]] = {way.key: [] for way in ways}
    for number, asked in enumerate(questions):
        turned = list(itertools.islice(itertools.cycle(ways), number, number + len(ways)))
        # Together: the engine computes them in one batch, each row as if it were alone.
        said = await asyncio.gather(
            *(client.whole(_request(asked, way, model=model, adapter=adapter)) for way in turned)
        )
        for way, answer in zip(turned, said, strict=True):
            answers[way.key].append(shown(answer))
        done(number + 1, len(questions))
    return Judged(
        questions=tuple(questions), answers={key: tuple(texts) for key, texts in answers.items()}
    )


def shown(answer: Answer) -> str:
    """What a person is shown: the end's word, after filters and parse check."""
    return str(answer.end.report.get("final", answer.text))


def _request(asked: Asked, way: Way, *, model: str, adapter: str) -> CompletionRequest:
    key = uuid.uuid4().hex
    context = asked.context if way.related else replace(asked.context, snippets=())
    return CompletionRequest(
        id=key,
        document=f"receipt:{key}",
        context=context,
        mode=asked.mode,
        trigger=Trigger.EXPLICIT,
        model=model,
        adapter=adapter if way.adapter else None,
        max_tokens=MAX_TOKENS[asked.mode],
        deadline_ms=DEADLINE_MS,
        ghost=GhostText(),
    )


def write_receipt(
    own: Judged, general: Judged, run: Mapping[str, Any], canary: Mapping[str, Any]
) -> dict[str, Any]:
    """All but what training and publication add."""
    scores = {way.key: own.scores(way.key) for way in WAYS}
    loss = differences(general.scores("base"), general.scores("adapter"))
    receipt: dict[str, Any] = {
        **{key: means(found) for key, found in scores.items()},
        "gain": differences(scores["base_retrieval"], scores["adapter_retrieval"]),
        "gain_without_retrieval": differences(scores["base"], scores["adapter"]),
        "general": {
            "base": means(general.scores("base")),
            "adapter": means(general.scores("adapter")),
            "difference": loss,
        },
        "canary": dict(canary),
        "questions": len(own.questions),
        "files": run["files"],
        "snapshot": run["snapshot"],
        "preflight": run["preflight"],
    }
    receipt["wins"], receipt["reason"] = verdict(receipt)
    return receipt


def verdict(receipt: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether the rule of publication holds, and one sentence that says why."""
    gain = receipt["gain"]["edit_similarity"]
    lost = receipt["general"]["difference"]["edit_similarity"]["value"]
    if gain["low"] is None:
        return False, "There were no held-out lines to ask about, so nothing is proven."
    span = f"{gain['value']:+.3f} (95 %: {gain['low']:+.3f} to {gain['high']:+.3f})"
    if gain["low"] <= 0:
        return False, f"The gain in edit similarity, {span}, may be none."
    if lost is not None and lost < -LARGEST_LOSS:
        return False, f"It gains {span}, but loses {-lost:.3f} on general code."
    return True, f"It gains {span} of edit similarity on lines it never saw."


def examples(own: Judged) -> list[dict[str, str]]:
    """Questions where the adapter changed the answer, the largest changes first, good and bad."""
    found = []
    before, after = own.scores("base_retrieval"), own.scores("adapter_retrieval")
    for number, asked in enumerate(own.questions):
        change = after[number].edit_similarity - before[number].edit_similarity
        if change:
            found.append((abs(change), number, change, asked))
    found.sort(key=lambda one: (-one[0], one[1]))
    return [
        {
            "path": asked.context.path,
            "before_cursor": asked.context.prefix[-240:],
            "truth": asked.truth,
            "base": own.answers["base_retrieval"][number],
            "adapter": own.answers["adapter_retrieval"][number],
            "change": f"{change:+.2f}",
        }
        for _, number, change, asked in found[:EXAMPLES]
    ]
