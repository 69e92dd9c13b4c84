"""Compiles and runs generated units in all five languages and compares what they print.

`python -m recipes.nano_translate.check --count 100 [--testing]` reports agreement by language, and
the first disagreements. Compilers are needed here only: javac, g++, node and Go 1.21 or newer.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter

from glm_codegen.evaluate.program_run import Outcome, ProgramRunner, RunResult
from glm_codegen.evaluate.test_program import test_program
from recipes.nano_translate.draw import draw_split
from recipes.nano_translate.emit import LANGUAGES, source_emitter
from recipes.nano_translate.program import Unit
from recipes.nano_translate.trials import trial


def run_unit(
    runner: ProgramRunner, unit: Unit, language: str, seed: int, style: random.Random | None = None
) -> tuple[str, RunResult]:
    """Code of a unit in one language, and what its calls print."""
    code = source_emitter(language, style).unit(unit)
    return code, runner.run(test_program(code, trial(unit, seed, language), language), language)


def meaningful(result: RunResult) -> bool:
    """Whether calls ended with values, and numbers stayed within 32 bits."""
    if result.outcome is not Outcome.OUTPUT:
        return False
    lines = result.output.split("\n")[:-1]
    numbers = [
        w for line in lines for w in line.replace(",", " ").split() if w.lstrip("-").isdigit()
    ]
    small = all(len(number.lstrip("-")) < 10 for number in numbers)
    return small and sum(line == "error" for line in lines) <= len(lines) // 2


def main() -> None:
    """Check a sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--testing", action="store_true")
    parser.add_argument("--styled", action="store_true")
    parser.add_argument("--languages", nargs="+", default=list(LANGUAGES))
    parser.add_argument("--show", type=int, default=6)
    arguments = parser.parse_args()
    chance, counts, shown = random.Random(arguments.seed), Counter[str](), 0
    with ProgramRunner() as runner:
        for number in range(arguments.count):
            unit = draw_split(chance, testing=arguments.testing)
            _, wanted = run_unit(runner, unit, "python", number)
            if not meaningful(wanted):
                counts[f"no meaning: {wanted.outcome}"] += 1
                continue
            for language in arguments.languages:
                style = random.Random(number) if arguments.styled else None
                code, found = run_unit(runner, unit, language, number, style)
                agreed = found.output == wanted.output
                counts[f"{language}: {'agrees' if agreed else found.outcome}"] += 1
                if not agreed and shown < arguments.show:
                    shown += 1
                    print(f"--- {language}: {found.outcome}\n{code}\n{found.detail[:600]}")
                    if found.outcome is Outcome.OUTPUT:
                        print(f"wanted {wanted.output.split()}\nfound  {found.output.split()}")
    for name, count in sorted(counts.items()):
        print(f"{count:5d}  {name}")


if __name__ == "__main__":
    main()
