"""`glm-lsp eval repo PATH`: how good completions are in a repository, through the real daemon."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_codegen.evaluate.evaluation import evaluation, table
from glm_codegen.evaluate.repository_holes import Place, draw_places, parsed_sources
from glm_codegen.evaluate.repository_run import RepositoryRun, RunOptions
from glm_context.syntax import Syntax
from glm_protocol.errors import BadRequest
from glm_protocol.settings import InlineCompletionSettings

MOST_FILES = 400  # that are parsed for places


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp eval repo",
        description="Cut holes into the files of a repository and let the daemon fill them.",
        epilog="Compare two runs: glm-lsp eval compare A.json B.json",
    )
    parser.add_argument("path", type=Path, help="the repository's folder")
    parser.add_argument("--holes", type=int, default=100, help="how many holes (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="draws other holes (default: 1)")
    parser.add_argument(
        "--quiet-spots", type=int, help="places where nothing is missing (default: half the holes)"
    )
    parser.add_argument("--no-context", action="store_true", help="the open file alone")
    parser.add_argument("--no-memory", action="store_true", help="the model's word alone")
    parser.add_argument(
        "--no-workspace-memory",
        action="store_true",
        help="give the memory the open file and the context's pieces, not the whole repository",
    )
    parser.add_argument("--model", help="a model of `glm-lsp models` (default: its default)")
    parser.add_argument("--adapter", help="a fine-tuned adapter by name")
    parser.add_argument("--dial", type=int, help="0 to 100, glm.inlineCompletion.quiet")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def places_of(root: Path, *, holes: int, quiet: int, seed: int) -> list[Place]:
    """The places of a repository. Raises BadRequest where there are none."""
    if not root.is_dir():
        raise BadRequest(f"{root} is no folder.")
    with Syntax() as syntax:
        sources = parsed_sources(root, syntax, MOST_FILES, seed)
        found = draw_places(sources, syntax, holes=holes, quiet=quiet, seed=seed)
    if not found:
        raise BadRequest(
            f"There is no file in {root} in which a hole can be cut.",
            remedy="Name a folder with source files of a language that `docs/context.md` lists.",
        )
    return found


async def run_places(root: Path, places: Sequence[Place], options: RunOptions) -> dict[str, Any]:
    """The judged places and the model's name. Raises GlmError."""
    shown = sys.stderr.isatty()

    def report(text: str) -> None:
        if shown:
            print(f"\r{text:<40}", end="", file=sys.stderr, flush=True)

    async with DaemonClient() as client:
        await client.connect()
        run = RepositoryRun(root, client, options)
        try:
            await run.begin(report)
            judged = []
            for number, place in enumerate(places, 1):
                report(f"{number} of {len(places)}")
                judged.append((await run.ask(place)).to_wire())
        finally:
            run.close()
            report("")
        return {"holes": judged, "model": run.model}


def run(argv: Sequence[str]) -> int:
    """The `eval repo` subcommand."""
    options = arguments().parse_args(argv)
    root = options.path.resolve()
    quiet_spots = options.holes // 2 if options.quiet_spots is None else options.quiet_spots
    if options.holes < 0 or quiet_spots < 0 or options.holes + quiet_spots == 0:
        raise BadRequest("--holes and --quiet-spots must be 0 or more, and not both 0.")
    dial = InlineCompletionSettings().quiet if options.dial is None else options.dial
    asked = RunOptions(
        model=options.model,
        adapter=options.adapter,
        context=not options.no_context,
        memory=not options.no_memory,
        workspace_memory=not options.no_workspace_memory,
        quiet=min(max(dial, 0), 100) / 100,
    )
    places = places_of(root, holes=options.holes, quiet=quiet_spots, seed=options.seed)
    found = asyncio.run(run_places(root, places, asked))
    settings = asdict(asked) | {"holes": options.holes, "seed": options.seed}
    wire = evaluation(found["holes"], repository=root.name, model=found["model"], settings=settings)
    print(json.dumps(wire) if options.json else table(wire))
    return 0
