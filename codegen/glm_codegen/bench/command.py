"""`glm-lsp bench [engine|replay|agreement]`: how fast this machine is, and whether it is right.

`engine`: the native engine and its peers, in turns; random models and peers' environments are kept
in `$GLM_LSP_BENCH`, else `~/.cache/glm-lsp/bench`. `replay`: typing at 80 words a minute by 1, 2,
4, … editors, or recorded edits (form: `editing_trace.py`). `agreement`: how often the native
engine's best token is float32's, and what its rounding costs in held-out loss. Results with
`--json` are one object a row; `--output` writes them with date and machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from glm_codegen.bench.bench_row import BenchRow, ratios, table
from glm_codegen.bench.engine_bench import EnginePlan, bench_engines
from glm_codegen.bench.player_process import PEERS, bench_folder
from glm_codegen.bench.random_model import SHAPES, random_model
from glm_protocol.errors import BadRequest
from glm_protocol.folders import user_folders

WORDS_A_MINUTE = 80


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="glm-lsp bench", description=__doc__)
    add = parser.add_argument
    add("what", nargs="?", choices=("engine", "replay", "agreement"), default="engine")
    add("--model", default="nano-code", help=f"names, folders, or random: {', '.join(SHAPES)}")
    add("--bits", type=int, choices=(8, 4), default=8, help="of a random model's weights")
    add("--peers", default="torch", help=f"comma-separated, or none: {', '.join(PEERS)}")
    add("--threads", type=int, default=1, help="of each engine (default 1)")
    add("--editors", default="1,4,16", help="replay: how many, comma-separated")
    add(
        "--trace", type=Path, nargs="*", default=[], help="replay: recorded edits, a file an editor"
    )
    add("--rounds", type=int, help="default 5, with --quick 2")
    add("--quick", action="store_true", help="shorter prompts, fewer rounds")
    add("--json", action="store_true", help="one JSON object a row")
    add("--output", type=Path, help="write rows, date and machine to this file")
    return parser


def run(argv: Sequence[str]) -> int:
    """Entry of the command."""
    options = _parser().parse_args(argv)
    machine = describe_machine()
    measure = {"engine": _engine, "replay": _replay, "agreement": _agreement}[options.what]
    rows = measure(options)
    if options.output is not None:
        body = {"machine": machine, "rows": [one.to_wire() for one in rows]}
        options.output.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    if options.json:
        for one in rows:
            print(json.dumps(one.to_wire()))
    else:
        print("; ".join(f"{key} {value}" for key, value in machine.items()))
        print(table(rows))
    return 0


def describe_machine() -> dict[str, Any]:
    """Date, processor, cores, load of the last minute."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": f"{name}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }


def _model_folder(name: str, bits: int) -> Path:
    from glm_runtime.hub_cache import cached_folder
    from glm_runtime.model_registry import ModelRegistry

    if name in SHAPES:
        return random_model(bench_folder() / "models", name, bits=bits)
    spec = ModelRegistry(user_folders().registry).resolve(name)
    return spec.folder or cached_folder(spec.source)


def _engine(options: argparse.Namespace) -> list[BenchRow]:
    peers = tuple(filter(None, options.peers.replace("none", "").split(",")))
    unknown = set(peers) - set(PEERS)
    if unknown:
        raise BadRequest(f"There is no peer {min(unknown)!r}; choose of {', '.join(PEERS)}.")
    rows: list[BenchRow] = []
    for model in options.model.split(","):
        plan = EnginePlan(
            shape=model if options.bits == 8 else f"{model} int4",
            tokens=256 if options.quick else 1024,
            steps=16 if options.quick else 32,
            rounds=options.rounds or (2 if options.quick else 5),
            threads=options.threads,
            peers=peers,
        )
        rows += bench_engines(_model_folder(model, options.bits), plan)
    return rows


def _replay(options: argparse.Namespace) -> list[BenchRow]:
    from glm_codegen.bench import replay_bench
    from glm_codegen.bench.editing_trace import read_trace, typed_trace
    from glm_codegen.code_engine import load_engine
    from glm_runtime.engine import EngineOptions

    recorded = [read_trace(file) for file in options.trace]
    engine = load_engine(EngineOptions(model=options.model, threads=options.threads))
    interval = 60 / (WORDS_A_MINUTE * replay_bench.LETTERS_A_WORD)
    text = Path(argparse.__file__).read_text(encoding="utf-8")  # long, and on every machine
    letters = 20 if options.quick else 60
    rows: list[BenchRow] = []
    for editors in [len(recorded)] if recorded else map(int, options.editors.split(",")):
        made = recorded or [
            typed_trace(text, number=number, editors=editors, letters=letters, interval=interval)
            for number in range(editors)
        ]
        found = [
            replay_bench.replay(engine, made, run=run)
            for run in range(options.rounds or (1 if options.quick else 3))
        ]
        rows += replay_bench.replay_rows(found, editors, options.model)
    return rows + _slower_for_many(rows, options.model)


def _slower_for_many(rows: Sequence[BenchRow], shape: str) -> list[BenchRow]:
    """How much longer the slowest twentieth waits than with one editor."""
    late = {one.engine: one.median for one in rows if one.metric == "first text p95, ms"}
    alone = late.pop("1 editor", None)
    return [
        ratios(engine, "1 editor", shape, "first text p95", [median / alone])
        for engine, median in late.items()
        if alone and median is not None
    ]


def _agreement(options: argparse.Namespace) -> list[BenchRow]:
    from glm_codegen.bench.agreement import agreement_rows

    folder = _model_folder(options.model, options.bits)
    return agreement_rows(folder, options.model, steps=1000 if options.quick else 10_000)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
