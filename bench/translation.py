"""The bundled translator, measured: `python -m bench.translation [--json FILE] [--threads N]`.

The hand-written functions of the evaluation set, one after another, through the engine in this
process: time to the first translated line, to the whole answer, tokens that the model chose a
second (in all attempts; lines of the source are given, not chosen, and count for nothing), and the
peak memory of the process. `GLM_LSP_NATIVE=0` in front measures machines without the native engine.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from dataclasses import asdict
from pathlib import Path

from bench.machine import describe, machine_line
from bench.summary import HEAD, Series, summarise
from glm_codegen.code_engine import CodeEngine, load_engine
from glm_codegen.evaluate.translate_command import DIRECTIONS
from glm_codegen.evaluate.translation_set import exercises
from glm_protocol.answers import Chunk
from glm_protocol.translation import TranslationRequest
from glm_runtime.engine import EngineOptions

MODEL = Path(__file__).parents[1] / "models" / "nano-translate"


def translate_once(engine: CodeEngine, code: str, source: str, target: str) -> dict[str, float]:
    """Times of one translation, in ms, and tokens a second."""
    number = str(time.monotonic_ns())
    request = TranslationRequest(
        id=number, document=number, code=code, source=source, target=target
    )
    began, first = time.perf_counter(), 0.0
    engine.submit(request)
    chunk = Chunk(text="")
    while engine.busy:
        for _, event in engine.step():
            assert isinstance(event, Chunk), event
            chunk = event
            if event.text and not first:
                first = time.perf_counter() - began
    seconds = time.perf_counter() - began
    assert chunk.end is not None
    report = chunk.end.report
    return {
        "time to the first translated line": 1000 * first,
        "time to the whole answer": 1000 * seconds,
        "tokens chosen": float(report["chosen_tokens"]),
        "tokens chosen a second": report["chosen_tokens"] / seconds,
        "attempts": float(report["attempts"]),
    }


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=int, default=20)
    arguments = parser.parse_args()
    machine = describe()
    options = EngineOptions(model=str(MODEL), device="cpu", threads=arguments.threads)
    engine = load_engine(options)
    found: dict[str, list[float]] = {}
    for exercise in exercises()[: arguments.limit]:
        for direction in DIRECTIONS:
            source, target = direction.split("-")
            measured = translate_once(engine, exercise.code[source], source, target)
            for name, value in measured.items():
                found.setdefault(name, []).append(value)
    units = {"tokens chosen a second": "tokens/s", "tokens chosen": "", "attempts": ""}
    series: list[Series] = [
        summarise(name, units.get(name, "ms"), values) for name, values in found.items()
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = [one.row() for one in series]
    path = f"{engine.info.backend}, {arguments.threads} thread(s), {engine.info.dtype}"
    memory = f"peak memory of the process: {peak:.0f} MiB"
    print(machine_line(), f"path: {path}", HEAD, *rows, memory, sep="\n")
    if arguments.json:
        listed = [asdict(one) for one in series]
        report = {
            "machine": machine, "path": path, "series": listed, "peak_mib": round(peak)
        }  # fmt: skip
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
