"""One model on several engines, in turns: prefill, steps, wide steps, keystrokes, eight at once.

The engines take turns inside each round, so that a ratio compares neighbours in time: on a
machine that is doing other things, figures of different minutes cannot be compared. Each plays in
a process of its own. What memory can be read at is measured in each round too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from glm_codegen.bench.bench_row import BenchRow, ratios, row
from glm_codegen.bench.memory_speed import MemoryReader
from glm_codegen.bench.peer_weights import floats_of, gguf_of
from glm_codegen.bench.player_process import (
    FLOATS,
    GGUF,
    NATIVE,
    PEERS,
    CannotPlay,
    Peer,
    PlayerProcess,
)
from glm_runtime.checkpoint import Checkpoint, open_checkpoint

WIDE = 8  # tokens of a wide step
EDITORS = 8  # rows of a batch
TYPED = 5  # tokens of a keystroke
_FEW_TOKENS = 256  # of a prompt where more would be all that is waited for
PREFILL, DECODE = "prefill tokens/s", "decode tokens/s"
STEP, KEYSTROKE = f"{WIDE}-wide step, ms", f"prompt + {TYPED} tokens to first token, ms"
ROWS = f"{EDITORS} rows, decode tokens/s"
COLD = "process start to first token, s"
SHARE = "share of the read limit"
_SLOWER_IS_MORE = (STEP, KEYSTROKE)
_RANDOM_LLAMA = "LlamaForCausalLM"


@dataclass(frozen=True, kw_only=True, slots=True)
class EnginePlan:
    """What is measured. `tokens` of prompt, `steps` after it, each `rounds` times."""

    shape: str
    tokens: int
    steps: int
    rounds: int
    threads: int
    peers: tuple[str, ...]


@dataclass(kw_only=True, slots=True)
class _Contest:
    """Who plays, and what was measured: one value a round for each (engine, metric)."""

    plan: EnginePlan
    players: dict[str, PlayerProcess] = field(default_factory=dict)
    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    rows: list[BenchRow] = field(default_factory=list)

    def drop(self, name: str, why: CannotPlay) -> None:
        """It is named as missing, and what it had measured is forgotten."""
        self.rows.append(
            BenchRow(
                engine=name, shape=self.plan.shape, metric="", median=None, note=f"missing: {why}"
            )
        )
        player = self.players.pop(name, None)
        if player is not None:
            player.close()
        self.values = {key: found for key, found in self.values.items() if key[0] != name}

    def turn(self, metric: str, scale: float, what: str, **details: Any) -> None:
        """Everybody plays once; the value is `scale` over the seconds, or milliseconds of them."""
        for name, player in list(self.players.items()):
            try:
                spent = player.play(what, **details)
            except CannotPlay as error:
                self.drop(name, error)
                continue
            if spent is not None and spent > 0:
                value = 1e3 * spent if metric in _SLOWER_IS_MORE else scale / spent
                self.values.setdefault((name, metric), []).append(value)


def bench_engines(folder: Path, plan: EnginePlan) -> list[BenchRow]:
    """Rows of every engine, then the ratios of ours to each."""
    checkpoint = open_checkpoint(folder)
    ours = f"native int{_bits(checkpoint)}"
    contest = _Contest(plan=plan)
    with ExitStack() as stack:
        for name, peer in ((ours, NATIVE), *((name, PEERS[name]) for name in plan.peers)):
            try:
                model = _weights(checkpoint, peer)
                began = time.perf_counter()
                player = PlayerProcess(peer, model, plan.threads)
                stack.callback(player.close)
                player.play("best", tokens=list(range(1, min(plan.tokens, _FEW_TOKENS))))
                from_nothing = time.perf_counter() - began
            except CannotPlay as error:
                contest.drop(name, error)
                continue
            name = name if peer.weights != GGUF else f"{name} Q{_bits(checkpoint)}_0"
            contest.players[name] = player
            contest.rows.append(row(name, plan.shape, COLD, [from_nothing]))
        limits = _play(contest, checkpoint)
        return _rows(contest, ours, limits)


def _bits(checkpoint: Checkpoint) -> int:
    scheme = checkpoint.config.scheme
    return 8 if scheme is None else scheme.bits


def _weights(checkpoint: Checkpoint, peer: Peer) -> Path:
    """The model in the form the peer reads. Raises CannotPlay."""
    if peer.weights not in (GGUF, FLOATS):
        return checkpoint.folder
    if checkpoint.config.architecture != _RANDOM_LLAMA or checkpoint.config.scheme is None:
        raise CannotPlay(f"no weights of {checkpoint.config.architecture} for it; take S or M")
    return gguf_of(checkpoint) if peer.weights == GGUF else floats_of(checkpoint)


def _play(contest: _Contest, checkpoint: Checkpoint) -> list[float]:
    """Fills `values`; returns bytes that could be read in a second, one a round."""
    plan = contest.plan
    most = min(8000, int(checkpoint.config.fields["vocab_size"]))
    random = np.random.default_rng(0)

    def prompt(tokens: int) -> list[int]:
        return [int(token) for token in random.integers(0, most, tokens)]

    few = min(plan.tokens, _FEW_TOKENS)
    _compare_best(contest, prompt(few))  # and so a first time for everything
    contest.turn(PREFILL, 1.0, "prefill", tokens=prompt(few))
    contest.turn(DECODE, 1.0, "steps", count=2)
    contest.values.clear()
    reader = MemoryReader(plan.threads)
    limits: list[float] = []
    for _ in range(plan.rounds):
        limits.append(reader.bytes_per_second())
        contest.turn(PREFILL, plan.tokens, "prefill", tokens=prompt(plan.tokens))
        contest.turn(DECODE, plan.steps, "steps", count=plan.steps)
        contest.turn(STEP, 1.0, "wide", width=WIDE)
        whole = prompt(few + TYPED)
        contest.turn(KEYSTROKE, 1.0, "keystroke", prompt=whole[:few], more=whole[few:])
        rows = [prompt(few // 2) for _ in range(EDITORS)]
        contest.turn(ROWS, EDITORS * plan.steps, "rows", prompts=rows, count=plan.steps)
    return limits


def _compare_best(contest: _Contest, tokens: Sequence[int]) -> None:
    """Same weights, same answer? The best token after a prompt, of each engine."""
    for name, player in list(contest.players.items()):
        try:
            best = player.play("best", tokens=list(tokens))
        except CannotPlay as error:
            contest.drop(name, error)
            continue
        contest.rows.append(row(name, contest.plan.shape, "best token of a prompt", [best]))


def _rows(contest: _Contest, ours: str, limits: Sequence[float]) -> list[BenchRow]:
    plan, values = contest.plan, contest.values
    rows = [*contest.rows]
    rows.append(row("memory", plan.shape, "read, GB/s", [limit / 1e9 for limit in limits]))
    for name, player in contest.players.items():
        if player.weight_bytes:
            rows.append(row(name, plan.shape, "weights, MiB", [player.weight_bytes / 2**20]))
            decoded = values.get((name, DECODE), [])
            bound = max(limits) / player.weight_bytes
            if decoded:
                rows.append(row(name, plan.shape, SHARE, [one / bound for one in decoded]))
        for when, size in player.memory_mib().items():
            label = {"now": "memory, MiB", "most": "memory at its highest, MiB"}[when]
            rows.append(row(name, plan.shape, label, [size]))
    rows += [row(name, plan.shape, metric, seen) for (name, metric), seen in values.items()]
    for theirs in [name for name in contest.players if name != ours]:
        for metric in (PREFILL, DECODE, STEP, KEYSTROKE, ROWS):
            ones, others = values.get((ours, metric)), values.get((theirs, metric))
            if ones and others:
                pairs = zip(ones, others, strict=True)
                found = [b / a if metric in _SLOWER_IS_MORE else a / b for a, b in pairs]
                label = re.sub(r"(, ms| tokens/s)$", "", metric)
                rows.append(ratios(ours, theirs, plan.shape, label, found))
    return rows
