"""The accelerator's whole table in one command: `python -m bench.gpu [--shapes S,M] [--json FILE]`.

For each shape and format of the weights, with graphs and without, in turns: prefill, decode by
rows together, a verified draft of eight, a keystroke; the same of transformers' code for one row.
`share of the copy limit`: weights read in a second over what a copy on the device reads, measured
here. Without a device it says so and ends with status 2; `--rehearse` walks the whole table on the
CPU with a tiny model, to see that the bench itself works: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from bench.machine import describe
from glm_codegen.bench.bench_row import BenchRow, row, table
from glm_codegen.bench.player_process import bench_folder
from glm_codegen.bench.random_model import SHAPES, random_model
from glm_protocol.errors import ModelUnusable
from glm_runtime.captured.captured_loading import load_captured_model
from glm_runtime.captured.captured_model import VERIFY, CapturedModel
from glm_runtime.captured.device_linear import FORMATS
from glm_runtime.captured.graph_capture import GraphCapture, NoGraphs, capture_for
from glm_runtime.causal_model import RowTokens
from glm_runtime.checkpoint import Checkpoint, open_checkpoint
from glm_runtime.device import Placement, TorchAccelerator, choose_placement
from glm_runtime.model_loading import load_model
from glm_runtime.native.native_shape import native_shape

NO_DEVICE = 2
_TINY = (64, 2, 2, 1, 128, 600)
_COPIED = 1 << 29  # bytes of the copy that shows the limit


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--formats", default=",".join(("plain", *FORMATS)))
    parser.add_argument("--tokens", type=int, default=1024, help="of the prompt")
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--rows", default="1,2,4,8,16,32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="torch.compile what is recorded")
    parser.add_argument("--rehearse", action="store_true", help="a tiny model on the CPU")
    parser.add_argument("--json", type=Path, help="write rows, date and machine to this file")
    options = parser.parse_args(argv)
    accelerator = TorchAccelerator()
    if accelerator.kind is None and not options.rehearse:
        print("There is no accelerator that torch can use on this machine; nothing was measured.")
        return NO_DEVICE
    if options.rehearse:
        SHAPES["tiny"], options.shapes = _TINY, "tiny"
        options.tokens, options.steps, options.rows, options.rounds = 40, 2, "1,2", 1
    placement = choose_placement(
        device="cpu" if options.rehearse else None, dtype=None, accelerator=accelerator
    )
    machine = {**describe(), "device": _device_name(placement), "torch": torch.__version__}
    rows: list[BenchRow] = []
    for shape in options.shapes.split(","):
        checkpoint = open_checkpoint(random_model(bench_folder() / "models", shape))
        rows += _measure_shape(checkpoint, shape, placement, options)
    if options.json is not None:
        body = {"machine": machine, "rows": [one.to_wire() for one in rows]}
        options.json.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    print("; ".join(f"{key} {value}" for key, value in machine.items()))
    print(table(rows))
    return 0


def _device_name(placement: Placement) -> str:
    if placement.kind == "cpu":
        return "the CPU, rehearsing"
    module = torch.get_device_module(placement.device)
    return str(getattr(module, "get_device_name", lambda: placement.kind)())


def _settled(placement: Placement) -> None:
    if placement.kind != "cpu":
        torch.accelerator.synchronize(placement.device)


def copy_limit(placement: Placement) -> float:
    """Bytes that can be read in a second: half of what a copy moves, the best of five."""
    source = torch.ones(_COPIED if placement.kind != "cpu" else 1 << 20, dtype=torch.int8)
    source = source.to(placement.device)
    target = torch.empty_like(source)
    best = 0.0
    for _ in range(5):
        _settled(placement)
        began = time.perf_counter()
        target.copy_(source)
        _settled(placement)
        best = max(best, 2 * source.nbytes / (time.perf_counter() - began))
    return best


def _measure_shape(
    checkpoint: Checkpoint, name: str, placement: Placement, options: argparse.Namespace
) -> Iterator[BenchRow]:
    shape = native_shape(checkpoint.config)
    assert shape is not None
    limit = copy_limit(placement)
    yield row("device", name, "copied, GB/s", [limit / 1e9])
    for number_format in options.formats.split(","):
        for capture in (capture_for(placement.device), NoGraphs()):
            engine = f"{number_format}, {capture.name}"
            if options.compile:
                capture, engine = Compiled(capture), f"{engine}, compiled"
            try:
                model = load_captured_model(
                    checkpoint, shape, placement, capture=capture,
                    number_format=None if number_format == "plain" else number_format,
                )  # fmt: skip
                yield from _measure(model, engine, name, placement, options, limit)
                del model
            except (RuntimeError, NotImplementedError, MemoryError, ModelUnusable) as error:
                note = f"failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
                yield BenchRow(engine=engine, shape=name, metric="", median=None, note=note)
            if placement.kind != "cpu":
                torch.accelerator.empty_cache()
            if capture_for(placement.device).name == NoGraphs.name:
                break  # the same thing twice
    yield from _measure_transformers(checkpoint, name, placement, options)


class Compiled:
    """Compiles what is then recorded, so that widening a weight is part of its product."""

    def __init__(self, capture: GraphCapture) -> None:
        self._capture = capture
        self.name = capture.name

    def record(self, run: Any) -> Any:
        return self._capture.record(torch.compile(run, dynamic=False))


def _measure(
    model: CapturedModel,
    engine: str,
    name: str,
    placement: Placement,
    options: argparse.Namespace,
    limit: float,
) -> Iterator[BenchRow]:
    prompt = [number * 7 % 500 for number in range(options.tokens)]
    values: dict[str, list[float]] = {}
    yield row(engine, name, "weights, MiB", [model.weight_bytes / 2**20])

    def timed(rows: Sequence[RowTokens]) -> float:
        _settled(placement)
        began = time.perf_counter()
        model.forward_rows(rows)
        _settled(placement)
        return time.perf_counter() - began

    counts = [int(one) for one in options.rows.split(",") if int(one) <= model.most_rows]
    for round_number in range(options.rounds + 1):  # the first records, and is not counted
        found: dict[str, float] = {}
        store = model.new_store()
        found["prefill tokens/s"] = len(prompt) / timed([RowTokens(store=store, tokens=prompt)])
        found["prompt + 5 tokens to first token, ms"] = 1e3 * timed(
            [RowTokens(store=store, tokens=prompt[:5])]
        )
        draft = RowTokens(store=store, tokens=prompt[:VERIFY], wanted=VERIFY)
        found[f"{VERIFY}-wide step, ms"] = 1e3 * timed([draft])
        store.clear()
        for count in counts:
            stores = [model.new_store() for _ in range(count)]
            for one in stores:
                model.forward(prompt, one)
            spent = 0.0
            for _ in range(options.steps):
                spent += timed([RowTokens(store=one, tokens=[1]) for one in stores])
            found[f"{count} rows, decode tokens/s"] = count * options.steps / spent
            for one in stores:
                one.clear()
        if round_number:
            for metric, value in found.items():
                values.setdefault(metric, []).append(value)
    for metric, seen in values.items():
        yield row(engine, name, metric, seen)
    decoded = values["1 rows, decode tokens/s"]
    share = [one * model.weight_bytes / limit for one in decoded]
    yield row(engine, name, "share of the copy limit, one row", share)


def _measure_transformers(
    checkpoint: Checkpoint, name: str, placement: Placement, options: argparse.Namespace
) -> Iterator[BenchRow]:
    """transformers' forward with its growing cache, one row, the way it was served before."""
    model = load_model(checkpoint, placement, native=False)[0]
    prompt = [number * 7 % 500 for number in range(options.tokens)]
    prefills, decodes = [], []
    for _ in range(options.rounds):
        store = model.new_store()
        began = time.perf_counter()
        model.forward(prompt, store).max().item()
        prefills.append(len(prompt) / (time.perf_counter() - began))
        began = time.perf_counter()
        for _ in range(options.steps):
            model.forward([1], store).max().item()
        decodes.append(options.steps / (time.perf_counter() - began))
    yield row("transformers", name, "prefill tokens/s", prefills)
    yield row("transformers", name, "1 rows, decode tokens/s", decodes)


if __name__ == "__main__":
    sys.exit(main())
