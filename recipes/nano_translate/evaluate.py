"""Executed pass@1 of a model folder on held-out generated programs, through the serving engine.

`python -m recipes.nano_translate.evaluate --model FOLDER [--count 100] [--directions java-python …]`
translates units whose shapes and names occur nowhere in training, as serving does, compiles and
runs the result with the calls of `trials`, and compares what is printed with the original's.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from glm_codegen.code_engine import CodeEngine, load_engine
from glm_codegen.evaluate.program_run import Outcome, ProgramRunner
from glm_codegen.evaluate.test_program import test_program
from glm_protocol.answers import Chunk
from glm_protocol.errors import GlmError
from glm_protocol.translation import TranslationRequest, translated
from glm_runtime.engine import EngineOptions
from recipes.nano_translate.check import meaningful, run_unit
from recipes.nano_translate.draw import draw_split
from recipes.nano_translate.emit import source_emitter
from recipes.nano_translate.lower import lower
from recipes.nano_translate.pairs import REQUIRED
from recipes.nano_translate.program import Unit, shape
from recipes.nano_translate.trials import trial

SEED = 20_260


def held_out_units(count: int, runner: ProgramRunner) -> list[tuple[Unit, str]]:
    """Held-out units that mean something, with what their calls print; no shape twice."""
    chance, found, shapes = random.Random(SEED), list[tuple[Unit, str]](), set[str]()
    while len(found) < count:
        unit = draw_split(chance, testing=True)
        if shape(unit) in shapes:
            continue
        _, result = run_unit(runner, unit, "python", SEED)
        if meaningful(result):
            shapes.add(shape(unit))
            found.append((unit, result.output))
    return found


def translate(engine: CodeEngine, code: str, source: str, target: str) -> str:
    """One greedy translation; raises GlmError."""
    number = f"{time.monotonic_ns()}"
    engine.submit(
        TranslationRequest(id=number, document=number, code=code, source=source, target=target)
    )
    text = ""
    while engine.busy:
        for _, event in engine.step():
            if isinstance(event, GlmError):
                raise event
            assert isinstance(event, Chunk)
            text += event.text
            if event.end is not None:
                text = translated(text, event.end.report)
    return text


def judge(runner: ProgramRunner, text: str, unit: Unit, target: str, wanted: str) -> str:
    """`pass`, or the kind of failure."""
    result = runner.run(test_program(text, trial(unit, SEED, target), target), target)
    if result.outcome is not Outcome.OUTPUT:
        return str(result.outcome)
    return "pass" if result.output == wanted else "wrong output"


def main() -> None:
    """Measure the asked directions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--directions", nargs="+", default=[f"{a}-{b}" for a, b in REQUIRED])
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    engine = load_engine(
        EngineOptions(model=str(arguments.model.resolve()), device="cpu", threads=1)
    )
    report: dict[str, Any] = {}
    with ProgramRunner() as runner:
        units = held_out_units(arguments.count, runner)
        for direction in arguments.directions:
            report[direction] = measure(engine, runner, units, direction, arguments.show)
            print(direction, json.dumps(report[direction]), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def measure(
    engine: CodeEngine,
    runner: ProgramRunner,
    units: list[tuple[Unit, str]],
    direction: str,
    show: int,
) -> dict[str, Any]:
    """Translate and judge every unit in one direction."""
    source, target = direction.split("-")
    counts, shown = Counter[str](), 0
    for unit, wanted in units:
        lowered = lower(unit, source, None)
        emitter = source_emitter(source, None)
        emitter.preset(lowered.flags)
        code = emitter.unit(lowered.unit)
        try:
            text = translate(engine, code, source, target)
            outcome = judge(runner, text, unit, target, wanted)
        except GlmError as error:
            text, outcome = "", f"refused: {error}"[:60]
        counts[outcome] += 1
        if outcome != "pass" and shown < show:
            shown += 1
            print(f"--- {direction}: {outcome}\n{code}\n>>>\n{text}", flush=True)
    return {
        "pass_at_1": counts["pass"] / len(units),
        "count": len(units),
        "outcomes": dict(counts),
    }


if __name__ == "__main__":
    main()
