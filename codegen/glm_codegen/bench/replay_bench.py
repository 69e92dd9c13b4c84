"""Typing, replayed: requests at the pace of keystrokes to the engine itself, by a virtual clock.

Each editor types a stretch of a file of this repository, a letter at a time, and asks after each
letter, as an editor does; an older request of the same document is superseded. The clock advances
by what each step of the engine really took and jumps over idle time, so a minute of typing costs
what computing it costs. Not in it: the language server, HTTP and pipes (`python -m
bench.latency`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from glm_codegen.bench.bench_row import BenchRow, row
from glm_codegen.code_engine import CodeEngine
from glm_protocol.answers import Chunk, End, FinishReason
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.request_fields import Trigger

LETTERS_A_WORD = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Typing:
    """One editor: the text before and after what is typed, and when it begins."""

    document: str
    before: str
    typed: str
    after: str
    begins: float


@dataclass(kw_only=True, slots=True)
class _Asked:
    at: float
    first: float | None = None
    end: End | None = None


@dataclass(kw_only=True, slots=True)
class Replay:
    """What came of it; times in seconds."""

    asked: int = 0
    in_time: int = 0
    superseded: int = 0
    firsts: list[float] = field(default_factory=list)
    prompt_tokens: int = 0
    reused_tokens: int = 0
    generated_tokens: int = 0
    decoded_tokens: int = 0  # of all requests, and the steps of single rows that gave them
    decode_steps: int = 0


def typings(text: str, editors: int, letters: int, interval: float) -> list[Typing]:
    """Each editor types another stretch of a file."""
    made = []
    for number in range(editors):
        place = len(text) * (number + 1) // (editors + 2)
        begin = text.rfind("\n", 0, place) + 1
        made.append(
            Typing(
                document=f"file{number}.py",
                before=text[max(0, begin - 4000) : begin],
                typed=text[begin : begin + letters],
                after=text[begin + letters : begin + letters + 1500],
                begins=number * interval / editors,
            )
        )
    return made


def replay(engine: CodeEngine, editors: Sequence[Typing], interval: float) -> Replay:
    """Type it all; keys of one editor come every `interval` seconds."""
    keys = sorted(
        ((one.begins + n * interval, n, one) for one in editors for n in range(len(one.typed))),
        key=lambda key: (key[0], key[2].document),
    )
    asked: dict[str, _Asked] = {}
    now, place = 0.0, 0
    before = engine.decoded
    while place < len(keys) or engine.busy:
        if not engine.busy and place < len(keys):
            now = max(now, keys[place][0])
        while place < len(keys) and keys[place][0] <= now:
            at, number, one = keys[place]
            request = CompletionRequest(
                id=f"{one.document}:{number}",
                document=one.document,
                context=CodeContext(
                    path=one.document,
                    language="python",
                    prefix=one.before + one.typed[: number + 1],
                    suffix=one.after,
                ),
                trigger=Trigger.AUTOMATIC,
                max_tokens=24,
            )
            asked[request.id] = _Asked(at=at)
            engine.submit(request)
            place += 1
        began = time.perf_counter()
        events = engine.step()
        now += time.perf_counter() - began
        for request_id, chunk in events:
            if isinstance(chunk, Chunk):
                held = asked[request_id]
                if chunk.text and held.first is None:
                    held.first = now
                if chunk.end is not None:
                    held.end = chunk.end
                    if held.first is None:
                        held.first = now
    found = _summary(list(asked.values()), interval)
    found.decoded_tokens = engine.decoded[0] - before[0]
    found.decode_steps = engine.decoded[1] - before[1]
    return found


def _summary(asked: Sequence[_Asked], interval: float) -> Replay:
    found = Replay(asked=len(asked))
    for one in asked:
        if one.end is None or one.end.finish is FinishReason.SUPERSEDED:
            found.superseded += 1
            continue
        assert one.first is not None
        found.firsts.append(one.first - one.at)
        found.in_time += one.first - one.at <= interval
        found.prompt_tokens += one.end.tokens.prompt
        found.reused_tokens += one.end.tokens.reused
        found.generated_tokens += one.end.tokens.generated
    return found


def replay_rows(found: Sequence[Replay], editors: int, shape: str) -> list[BenchRow]:
    """`found`: one for each round."""
    engine = f"{editors} editor{'s' if editors > 1 else ''}"
    rows = [
        row(engine, shape, f"first text p{share}, ms", [
            1e3 * _percentile(one.firsts, share) for one in found
        ])
        for share in (50, 95, 99)
    ]  # fmt: skip
    per_round = {
        "answered before the next key": [one.in_time / one.asked for one in found],
        "superseded requests": [one.superseded / one.asked for one in found],
        "tokens per decode step": [one.decoded_tokens / max(1, one.decode_steps) for one in found],
        "prompt tokens re-used": [one.reused_tokens / max(1, one.prompt_tokens) for one in found],
    }
    return rows + [row(engine, shape, metric, values) for metric, values in per_round.items()]


def _percentile(values: Sequence[float], share: int) -> float:
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]
