"""Typing, replayed: requests at the pace of keystrokes to the engine itself, by a virtual clock.

Each editor asks after each edit of its trace, as an editor does; an older request of the same
document is superseded. The clock advances by what each step of the engine really took and jumps
over idle time, so a minute of typing costs what computing it costs. Not in it: the language
server, HTTP and pipes (`python -m bench.latency`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from glm_codegen.bench.bench_row import BenchRow, row
from glm_codegen.bench.editing_trace import Trace
from glm_codegen.code_engine import CodeEngine
from glm_protocol.answers import Chunk, End, FinishReason
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.request_fields import Trigger

LETTERS_A_WORD = 5
_LAST_KEY_S = 1.0  # how long the last suggestion of a trace is waited for


@dataclass(kw_only=True, slots=True)
class _Asked:
    at: float
    until: float  # the next key of the same editor
    request: CompletionRequest
    first: float | None = None
    ended: float | None = None
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
    cancelled_tokens: int = 0  # generated for requests that were superseded
    generated_tokens: int = 0
    decoded_tokens: int = 0  # of all requests, and the steps of single rows that gave them
    decode_steps: int = 0


def replay(engine: CodeEngine, traces: Sequence[Trace], *, run: int = 0) -> Replay:
    """Type it all. `run`: tells this round's requests from those of another."""
    keys = sorted(
        (one for trace in traces for one in _requests(trace, run)), key=lambda one: one.at
    )
    asked = {one.request.id: one for one in keys}
    now, place = 0.0, 0
    before = engine.decoded
    while place < len(keys) or engine.busy:
        if not engine.busy and place < len(keys):
            now = max(now, keys[place].at)
        while place < len(keys) and keys[place].at <= now:
            engine.submit(keys[place].request)
            place += 1
        began = time.perf_counter()
        events = engine.step()
        now += time.perf_counter() - began
        for request_id, chunk in events:
            held = asked[request_id]
            if isinstance(chunk, Chunk):
                if held.first is None and (chunk.text or chunk.end is not None):
                    held.first = now
                if chunk.end is not None:
                    held.end, held.ended = chunk.end, now
    found = _summary(keys)
    found.decoded_tokens = engine.decoded[0] - before[0]
    found.decode_steps = engine.decoded[1] - before[1]
    return found


def _requests(trace: Trace, run: int) -> list[_Asked]:
    found: list[_Asked] = []
    for number, (at, before, behind) in enumerate(trace.states()):
        if found:
            found[-1].until = at
        request = CompletionRequest(
            id=f"{trace.path}:{run}:{number}",
            document=trace.path,
            context=CodeContext(
                path=trace.path, language=trace.language, prefix=before, suffix=behind
            ),
            trigger=Trigger.AUTOMATIC,
            max_tokens=24,
        )
        found.append(_Asked(at=at, until=at + _LAST_KEY_S, request=request))
    return found


def _summary(asked: Sequence[_Asked]) -> Replay:
    found = Replay(asked=len(asked))
    for one in asked:
        if one.end is None or one.end.finish is FinishReason.SUPERSEDED:
            found.superseded += 1
            found.cancelled_tokens += 0 if one.end is None else one.end.tokens.generated
            continue
        assert one.first is not None
        assert one.ended is not None
        found.firsts.append(one.first - one.at)
        found.in_time += one.ended <= one.until
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
        "cancelled tokens": [
            one.cancelled_tokens / max(1, one.cancelled_tokens + one.generated_tokens)
            for one in found
        ],
        "tokens per decode step": [one.decoded_tokens / max(1, one.decode_steps) for one in found],
        "prompt tokens re-used": [one.reused_tokens / max(1, one.prompt_tokens) for one in found],
    }
    return rows + [row(engine, shape, metric, values) for metric, values in per_round.items()]


def _percentile(values: Sequence[float], share: int) -> float:
    """Infinite where nothing was answered, so that no bound holds by silence."""
    if not values:
        return float("inf")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]
