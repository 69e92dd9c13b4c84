"""`glm-lsp eval stdlib`: function bodies of the standard library, judged by CPython's tests."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_codegen.evaluate.intervals import estimate
from glm_codegen.evaluate.repository_run import AFTER, BEFORE, DEADLINE_MS
from glm_codegen.evaluate.sandbox import describe, sandbox_kind
from glm_codegen.evaluate.stdlib_holes import StdlibHole, draw_stdlib_holes, passes, tells
from glm_context.syntax import Syntax
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest, GhostText
from glm_protocol.errors import BadRequest
from glm_protocol.request_fields import Trigger

MAX_TOKENS = 192
MOST_LINES = 1_000


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp eval stdlib",
        description="Mask function bodies of Python's standard library, let the daemon write them, "
        "and run CPython's own tests in a sandbox. Only bodies whose tests tell are kept.",
    )
    parser.add_argument("--holes", type=int, default=20, help="how many bodies (default: 20)")
    parser.add_argument(
        "--lines", type=int, default=MOST_LINES, help="of a body, at most (default: any number)"
    )
    parser.add_argument("--seed", type=int, default=1, help="draws other bodies (default: 1)")
    parser.add_argument("--model", help="a model of `glm-lsp models` (default: its default)")
    parser.add_argument("--adapter", help="a fine-tuned adapter by name")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def kept_holes(count: int, seed: int, lines: int = MOST_LINES) -> tuple[list[StdlibHole], int]:
    """The first `count` bodies whose tests tell, and how many were tried."""
    kept: list[StdlibHole] = []
    tried = 0
    with Syntax() as syntax:
        for hole in draw_stdlib_holes(syntax, seed):
            if len(kept) == count:
                break
            if hole.place.truth.count("\n") >= lines:
                continue
            tried += 1
            if tells(hole):
                kept.append(hole)
            if sys.stderr.isatty():
                print(f"\r{len(kept)} of {count} bodies", end="", file=sys.stderr, flush=True)
    return kept, tried


def request_of(hole: StdlibHole, options: argparse.Namespace) -> CompletionRequest:
    place = hole.place
    text = place.source.text
    return CompletionRequest(
        id=uuid.uuid4().hex,
        document=f"eval/{uuid.uuid4().hex}",
        context=CodeContext(
            path=place.source.path,
            language="python",
            prefix=text[: place.start][-BEFORE:],
            suffix=text[place.end :][:AFTER],
        ),
        mode=CompletionMode.BLOCK,
        trigger=Trigger.EXPLICIT,
        model=options.model,
        adapter=options.adapter,
        max_tokens=MAX_TOKENS,
        deadline_ms=DEADLINE_MS,
        ghost=GhostText(),
    )


async def ask(holes: Sequence[StdlibHole], options: argparse.Namespace) -> tuple[list[str], str]:
    """What was said in each hole, and the model's name. Raises GlmError."""
    said, model = [], ""
    async with DaemonClient() as client:
        await client.connect()
        for hole in holes:
            answer = await client.whole(request_of(hole, options))
            said.append(str(answer.end.report.get("final", answer.text)))
            model = answer.end.model
    return said, model


def run(argv: Sequence[str]) -> int:
    """The `eval stdlib` subcommand."""
    options = arguments().parse_args(argv)
    if options.holes < 1 or options.lines < 1:
        raise BadRequest("--holes and --lines must be 1 or more.")
    holes, tried = kept_holes(options.holes, options.seed, options.lines)
    said, model = asyncio.run(ask(holes, options))
    judged: list[dict[str, Any]] = [
        {
            "module": hole.module,
            "line": hole.place.line,
            "passes": float(bool(text.strip()) and passes(hole, text)),
            "exact": float(text.strip() == hole.place.truth.strip()),
        }
        for hole, text in zip(holes, said, strict=True)
    ]
    found = {name: estimate([one[name] for one in judged]) for name in ("passes", "exact")}
    wire = {
        "format": 1,
        "model": model,
        "settings": {"holes": options.holes, "seed": options.seed, "lines": options.lines},
        "sandbox": describe(sandbox_kind()),
        "tried": tried,
        "metrics": {name: asdict(one) for name, one in found.items() if one is not None},
        "holes": judged,
    }
    if options.json:
        print(json.dumps(wire))
        return 0
    print(f"{model}: {len(judged)} bodies whose tests tell, of {tried} tried ({wire['sandbox']})")
    for name, one in found.items():
        if one is not None:
            print(f"  {name:<8}{100 * one.value:.1f} % ({100 * one.low:.1f} to "
                  f"{100 * one.high:.1f})")  # fmt: skip
    return 0
