"""`glm-lsp eval translate`: the hand-written translation set, executed, pass@1 by direction."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_codegen.evaluate.intervals import estimate
from glm_codegen.evaluate.program_run import Outcome, ProgramRunner, missing_tools
from glm_codegen.evaluate.sandbox import describe, sandbox_kind
from glm_codegen.evaluate.test_program import test_program
from glm_codegen.evaluate.translation_set import LANGUAGES, Exercise, exercises, wanted_output
from glm_protocol.errors import BadRequest, GlmError
from glm_protocol.translation import TranslationRequest, translated

DIRECTIONS = ("java-python", "python-javascript", "cpp-python", "javascript-go", "python-java")
Ask = Callable[[TranslationRequest], Awaitable[str]]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp eval translate",
        description="Translate the 62 hand-written functions that come with glm-lsp, run the"
        " results in a sandbox on the functions' own calls and count what passes.",
    )
    parser.add_argument("--source", choices=LANGUAGES, help="default: the five main directions")
    parser.add_argument("--target", choices=LANGUAGES)
    parser.add_argument("--all", action="store_true", help="all twenty directions")
    parser.add_argument("--limit", type=int, help="only so many functions")
    parser.add_argument("--model", help="a model of `glm-lsp models` (default: the translator)")
    parser.add_argument("--check-set", action="store_true", help="run the originals, ask no model")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N failures each")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(argv: Sequence[str]) -> int:
    """The `eval translate` subcommand. Raises GlmError."""
    options = arguments().parse_args(argv)
    if (options.source is None) != (options.target is None):
        raise BadRequest("--source and --target go together.")
    report = asyncio.run(_measure(options))
    print(json.dumps(report) if options.json else _table(report))
    return 0 if report["directions"] else 1


def _directions(options: argparse.Namespace) -> list[tuple[str, str]]:
    if options.check_set:
        return [(language, language) for language in LANGUAGES]
    if options.source is not None:
        if options.source == options.target:
            raise BadRequest("--source and --target are the same language.")
        return [(options.source, options.target)]
    if options.all:
        return [(a, b) for a in LANGUAGES for b in LANGUAGES if a != b]
    pairs = (direction.split("-") for direction in DIRECTIONS)
    return [(source, target) for source, target in pairs]


async def _measure(options: argparse.Namespace) -> dict[str, Any]:
    report: dict[str, Any] = {
        "functions": 0,
        "sandbox": describe(sandbox_kind()),
        "directions": {},
        "not_run": [],
    }
    with ProgramRunner() as runner:
        chosen = exercises()[: options.limit]
        wanted = {exercise.name: wanted_output(exercise, runner) for exercise in chosen}
        report["functions"] = len(chosen)
        async with DaemonClient() as client:
            if not options.check_set:
                await client.connect()

            async def ask(request: TranslationRequest) -> str:
                answer = await client.whole(request)
                return translated(answer.text, answer.end.report)

            for source, target in _directions(options):
                if missing := missing_tools(target):
                    report["not_run"].append({"target": target, "missing": list(missing)})
                    continue
                print(f"{source} to {target} ...", file=sys.stderr, flush=True)
                name = source if source == target else f"{source}-{target}"
                report["directions"][name] = await _direction(
                    chosen, wanted, (source, target), runner, ask, options
                )
    return report


async def _direction(
    chosen: Sequence[Exercise],
    wanted: dict[str, str],
    languages: tuple[str, str],
    runner: ProgramRunner,
    ask: Ask,
    options: argparse.Namespace,
) -> dict[str, Any]:
    source, target = languages
    outcomes: Counter[str] = Counter()
    passed: list[float] = []
    failed: dict[str, str] = {}
    for exercise in chosen:
        code = exercise.code[source]
        try:
            text = code if source == target else await ask(_request(code, source, target, options))
            outcome = _judge(exercise, text, target, runner, wanted[exercise.name])
        except GlmError as error:
            text, outcome = str(error), "refused"
        outcomes[outcome] += 1
        passed.append(float(outcome == "pass"))
        if outcome != "pass":
            failed[exercise.name] = outcome
            if len(failed) <= options.show:
                print(f"--- {exercise.name}: {outcome}\n{text}", file=sys.stderr)
    found = estimate(passed)
    assert found is not None
    return {
        "pass_at_1": found.value,
        "interval": [found.low, found.high],
        "outcomes": dict(outcomes),
        "failed": failed,
    }


def _request(
    code: str, source: str, target: str, options: argparse.Namespace
) -> TranslationRequest:
    number = uuid.uuid4().hex
    return TranslationRequest(
        id=number, document=number, code=code, source=source, target=target, model=options.model
    )


def _judge(exercise: Exercise, text: str, target: str, runner: ProgramRunner, wanted: str) -> str:
    result = runner.run(test_program(text, exercise.trial(target), target), target)
    if result.outcome is not Outcome.OUTPUT:
        return result.outcome.value
    return "pass" if result.output == wanted else "wrong output"


def _table(report: dict[str, Any]) -> str:
    lines = [f"{report['functions']} functions; sandbox: {report['sandbox']}"]
    for name, found in report["directions"].items():
        low, high = found["interval"]
        kinds = ", ".join(f"{count} {kind}" for kind, count in found["outcomes"].items())
        lines.append(
            f"{name}: pass@1 {100 * found['pass_at_1']:.1f} %"
            f" [{100 * low:.1f}, {100 * high:.1f}] ({kinds})"
        )
    for left in report["not_run"]:
        lines.append(f"{left['target']}: not run, {', '.join(left['missing'])} is missing")
    return "\n".join(lines)
