"""Prefill, steps and wide steps of one model on several engines, in turns.

The engines take turns inside each round, so that a ratio compares neighbours in time: on a
machine that is doing other things, figures of different minutes cannot be compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import psutil  # type: ignore[import-untyped]

from glm_codegen.bench.bench_row import BenchRow, ratios, row
from glm_runtime.checkpoint import open_checkpoint

PEERS = ("torch", "transformers", "llama.cpp", "openvino", "vllm")
# Peers that no adapter is written for yet; their absence is told, never passed over.
_UNWRITTEN = {"llama.cpp": "llama_cpp", "openvino": "openvino_genai", "vllm": "vllm"}
WIDE = 8


class Contestant(Protocol):
    """One engine with one model. Times are seconds."""

    def prefill(self, tokens: Sequence[int]) -> float:
        """Start anew with these tokens."""
        ...

    def steps(self, count: int) -> float: ...

    def wide_step(self, width: int) -> float | None:
        """One step of so many tokens; None where the engine has none."""
        ...


class NativeContestant:
    def __init__(self, folder: Path, threads: int, bits: int | None = None) -> None:
        from glm_runtime.native.native_loading import load_native_model, shape_of
        from glm_runtime.native.native_model import RowTokens

        checkpoint = open_checkpoint(folder)
        shape = shape_of(checkpoint)
        if shape is None:
            raise ValueError("the native engine does not compute this architecture")
        self.model = load_native_model(checkpoint, shape, bits=bits)
        self.model.use_threads(threads)
        self._row: Callable[..., Any] = RowTokens
        self._store = self.model.new_store()

    def prefill(self, tokens: Sequence[int]) -> float:
        self._store.clear()
        began = time.perf_counter()
        self.model.forward(tokens, self._store)
        return time.perf_counter() - began

    def steps(self, count: int) -> float:
        began = time.perf_counter()
        for number in range(count):
            self.model.forward([number % 100], self._store)
        return time.perf_counter() - began

    def wide_step(self, width: int) -> float | None:
        row = self._row(store=self._store, tokens=list(range(width)), wanted=width)
        began = time.perf_counter()
        self.model.forward_rows([row])
        return time.perf_counter() - began


class TorchContestant:
    """Our torch path, or transformers' own code, in the dtype that the CPU is best at."""

    def __init__(self, folder: Path, threads: int, *, transformers: bool) -> None:
        import torch

        from glm_runtime.device import TorchAccelerator, choose_placement
        from glm_runtime.model_loading import load_model

        torch.set_num_threads(threads)
        placement = choose_placement(device="cpu", dtype=None, accelerator=TorchAccelerator())
        checkpoint = open_checkpoint(folder)
        self._model = load_model(checkpoint, placement, native=not transformers)[0]
        self._store = self._model.new_store()

    def prefill(self, tokens: Sequence[int]) -> float:
        self._store.clear()
        began = time.perf_counter()
        self._model.forward(tokens, self._store)
        return time.perf_counter() - began

    def steps(self, count: int) -> float:
        began = time.perf_counter()
        for number in range(count):
            self._model.forward([number % 100], self._store)
        return time.perf_counter() - began

    def wide_step(self, width: int) -> float | None:
        began = time.perf_counter()
        self._model.forward(list(range(width)), self._store)
        return time.perf_counter() - began


@dataclass(frozen=True, kw_only=True, slots=True)
class EnginePlan:
    """What is measured. `tokens` of prompt, `steps` after it, each `rounds` times."""

    shape: str
    tokens: int
    steps: int
    rounds: int
    threads: int
    peers: tuple[str, ...]


def bench_engines(folder: Path, plan: EnginePlan) -> list[BenchRow]:
    """Rows of every engine, then the ratios of ours to each."""
    found: dict[str, Contestant] = {}
    rows: list[BenchRow] = []
    makers: dict[str, Callable[[], Contestant]] = {
        "native int8": lambda: NativeContestant(folder, plan.threads),
        "torch": lambda: TorchContestant(folder, plan.threads, transformers=False),
        "transformers": lambda: TorchContestant(folder, plan.threads, transformers=True),
    }
    for name in ("native int8", *plan.peers):
        if name in _UNWRITTEN:
            there = "installed here" if find_spec(_UNWRITTEN[name]) else "not installed here"
            rows.append(_missing(name, plan, f"missing: no adapter yet ({there})"))
            continue
        before = psutil.Process().memory_info().rss
        found[name] = makers[name]()
        grown = (psutil.Process().memory_info().rss - before) / 2**20
        rows.append(row(name, plan.shape, "memory grown at load, MiB", [grown]))
    return rows + _measure(found, plan)


def _missing(name: str, plan: EnginePlan, note: str) -> BenchRow:
    return BenchRow(engine=name, shape=plan.shape, metric="", median=None, note=note)


def _measure(found: dict[str, Contestant], plan: EnginePlan) -> list[BenchRow]:
    prompt = [int(x) for x in np.random.default_rng(0).integers(0, 8000, plan.tokens)]
    values: dict[tuple[str, str], list[float]] = {}
    for one in found.values():  # a first time for everything, unmeasured
        one.prefill(prompt[:64])
        one.steps(2)
    for _ in range(plan.rounds):
        for name, one in found.items():
            values.setdefault((name, "prefill tokens/s"), []).append(
                plan.tokens / one.prefill(prompt)
            )
            values.setdefault((name, "decode tokens/s"), []).append(
                plan.steps / one.steps(plan.steps)
            )
            wide = min(filter(None, (one.wide_step(WIDE) for _ in range(3))), default=None)
            if wide is not None:
                values.setdefault((name, f"{WIDE}-wide step, ms"), []).append(1e3 * wide)
    rows = [row(name, plan.shape, metric, seen) for (name, metric), seen in values.items()]
    for theirs in list(found)[1:]:
        for metric in ("prefill tokens/s", "decode tokens/s"):
            both = zip(values["native int8", metric], values[theirs, metric], strict=True)
            pairs = [ours / other for ours, other in both]
            rows.append(ratios("native int8", theirs, plan.shape, metric, pairs))
    return rows
