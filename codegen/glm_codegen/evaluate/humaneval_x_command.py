"""`glm-lsp eval humaneval-x PATH`: code that models write or translate, run in a sandbox."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_codegen.evaluate.humaneval_x_problems import (
    TASK_PREFIX,
    has_file,
    language_of,
    read_problems,
    read_samples,
)
from glm_codegen.evaluate.humaneval_x_programs import missing_tools
from glm_codegen.evaluate.humaneval_x_run import (
    Sampling,
    Tally,
    generate,
    judge_samples,
    translate,
)
from glm_codegen.evaluate.sandbox import describe, sandbox_kind
from glm_protocol.errors import BadRequest
from glm_protocol.requests import AnyRequest
from glm_protocol.translation import translated

OFFICIAL_TEMPERATURE = 0.2  # of several samples; one sample is greedy
MAX_SAMPLES = 200


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp eval humaneval-x",
        description="Run HumanEval-X, in its official JSON lines, against a model of the daemon.",
    )
    parser.add_argument("path", type=Path, help="a file, or the folder with the languages' files")
    parser.add_argument("--task", choices=("generate", "translate"), default="generate")
    parser.add_argument("--source", help="language of the code to translate")
    parser.add_argument("--target", help="language to write (generate: default python, or `all`)")
    parser.add_argument("--samples", type=int, default=1, help="answers a problem (default: 1)")
    parser.add_argument("--temperature", type=float, help="default: 0 for one sample, else 0.2")
    parser.add_argument("--limit", type=int, help="only so many problems")
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--model", help="a model of `glm-lsp models` (default: its default)")
    parser.add_argument("--adapter", help="a fine-tuned adapter by name")
    parser.add_argument(
        "--judge",
        type=Path,
        metavar="FILE",
        help="judge these lines of task_id and generation; no model is asked",
    )
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="write the generations, one line each"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(argv: Sequence[str]) -> int:
    """The `eval humaneval-x` subcommand. Raises GlmError."""
    options = arguments().parse_args(argv)
    if not 1 <= options.samples <= MAX_SAMPLES:
        raise BadRequest(f"--samples is 1 to {MAX_SAMPLES}.")
    targets = _targets(options)
    report: dict[str, Any] = {
        "task": options.task,
        "sandbox": sandbox_kind().value,
        "sandbox_is": describe(sandbox_kind()),
        "languages": [],
        "not_run": [],
    }
    lines: list[dict[str, str]] = []
    for language in targets:
        missing = missing_tools(language)
        if options.target == "all" and not has_file(options.path, language):
            missing = ("its file",)
        if missing:
            report["not_run"].append({"language": language, "missing": list(missing)})
            continue
        tally = _tally(options, language)
        lines += tally.generations
        report["languages"].append(tally.report(language))
    if options.save is not None:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        options.save.write_text(text, encoding="utf-8")
    print(json.dumps(report) if options.json else _table(report))
    return 0 if report["languages"] else 1


def _targets(options: argparse.Namespace) -> list[str]:
    if options.task == "translate" and (options.source is None or options.target is None):
        raise BadRequest("translate needs --source and --target.", remedy="Name two languages.")
    if options.target == "all":
        return list(TASK_PREFIX)
    return [language_of(options.target or "python")]


def _tally(options: argparse.Namespace, language: str) -> Tally:
    problems = read_problems(options.path, language)[: options.limit]
    translates = options.task == "translate"
    if options.judge is not None:
        samples = read_samples(options.judge)
        return judge_samples(problems, samples, language, _tell, translations=translates)
    sampling = _sampling(options)
    if not translates:
        return asyncio.run(_asking(lambda ask: generate(problems, language, sampling, ask, _tell)))
    source = language_of(options.source)
    if options.path.is_file():
        raise BadRequest("translate reads two files.", remedy="Name the folder that holds both.")
    sources = {problem.number: problem for problem in read_problems(options.path, source)}
    pair = (source, language)
    return asyncio.run(
        _asking(lambda ask: translate(sources, problems, pair, sampling, ask, _tell))
    )


def _sampling(options: argparse.Namespace) -> Sampling:
    several = OFFICIAL_TEMPERATURE if options.samples > 1 else 0.0
    return Sampling(
        model=options.model,
        adapter=options.adapter,
        samples=options.samples,
        temperature=several if options.temperature is None else options.temperature,
        max_tokens=options.max_tokens,
    )


async def _asking(work: Any) -> Tally:
    """Run `work` with a way to ask the daemon, starting it if need be."""
    async with DaemonClient() as client:
        await client.connect()

        async def ask(request: AnyRequest) -> str:
            answer = await client.whole(request)
            return translated(answer.text, answer.end.report)

        tally: Tally = await work(ask)
        return tally


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _table(report: dict[str, Any]) -> str:
    lines = [f"sandbox: {report['sandbox_is']}"]
    for found in report["languages"]:
        passes = ", ".join(f"pass@{k} {100 * v:.1f} %" for k, v in found["pass_at_k"].items())
        verdicts = ", ".join(f"{count} {name}" for name, count in found["verdicts"].items())
        lines.append(
            f"{found['language']}: {passes or 'no samples'} on {found['problems']} problems"
            f" ({verdicts})"
        )
    for left in report["not_run"]:
        lines.append(f"{left['language']}: not run, {', '.join(left['missing'])} is missing")
    return "\n".join(lines)
