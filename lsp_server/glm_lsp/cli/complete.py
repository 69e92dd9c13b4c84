"""`glm-lsp complete FILE --line L --column C`: one completion, as an editor would get it."""

from __future__ import annotations

import argparse
import asyncio
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glm_client.daemon_client import Answer, DaemonClient
from glm_client.memory_feed import workspace_name
from glm_context.gathered import Gathered
from glm_lsp.cli.source_file import read_source, split_at
from glm_lsp.cli.workspace_root import code_context, opened, site_of, workspace_root
from glm_protocol.completion import CompletionMode, CompletionRequest, GhostText
from glm_protocol.languages import language_id
from glm_protocol.request_fields import Trigger


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp complete",
        description="Complete at one place of a file. Starts the daemon if none is running.",
    )
    parser.add_argument("file", type=Path, help="the source file")
    parser.add_argument("--line", type=int, required=True, help="line, counted from 1")
    parser.add_argument(
        "--column", type=int, required=True, help="the text goes in before this column, from 1"
    )
    parser.add_argument("--model", help="a model of `glm-lsp models` (default: its default)")
    parser.add_argument("--adapter", help="a fine-tuned adapter by name")
    parser.add_argument(
        "--mode", choices=[mode.value for mode in CompletionMode], default=CompletionMode.AUTO.value
    )
    parser.add_argument("--language", help="LSP languageId (default: told by the file's name)")
    parser.add_argument("--max-tokens", type=int, default=64, help="default: 64")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (default)")
    parser.add_argument("--seed", type=int, help="makes sampling repeatable")
    parser.add_argument(
        "--no-context", action="store_true", help="the file alone, nothing else of its workspace"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def request_from(options: argparse.Namespace) -> CompletionRequest:
    """The request that the command line describes. Raises BadRequest."""
    prefix, suffix = split_at(read_source(options.file), options.line, options.column)
    root = None if options.no_context else workspace_root(options.file)
    language = options.language or language_id(options.file.name)
    site = site_of(options.file, root, language, prefix, suffix)
    with opened(root) as workspace:
        gathered = Gathered() if workspace is None else workspace.gather(site)
    context, _ = code_context(site, gathered)
    return CompletionRequest(
        id=uuid.uuid4().hex,
        document=options.file.absolute().as_uri(),
        context=context,
        mode=CompletionMode(options.mode),
        trigger=Trigger.EXPLICIT,
        model=options.model,
        adapter=options.adapter,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        seed=options.seed,
        deadline_ms=60_000,
        workspace=workspace_name(root),
        ghost=GhostText(),
    )


async def complete(request: CompletionRequest) -> Answer:
    """Ask the daemon, starting it if need be. Raises GlmError."""
    async with DaemonClient() as client:
        await client.connect()
        return await client.whole(request)


def shown(completed: Answer) -> str:
    """What a person is shown: the text after the filters, where the engine has any."""
    return str(completed.end.report.get("final", completed.text))


def as_json(completed: Answer) -> dict[str, Any]:
    """The object that `--json` prints; its words are a contract."""
    end = asdict(completed.end)
    return {
        "text": shown(completed),
        "model": end["model"],
        "adapter": end["adapter"],
        "finish": end["finish"],
        "timings_ms": end["timings_ms"],
        "tokens": end["tokens"],
        "report": end["report"],
    }


def run(argv: Sequence[str]) -> int:
    """The `complete` subcommand."""
    options = arguments().parse_args(argv)
    completed = asyncio.run(complete(request_from(options)))
    print(json.dumps(as_json(completed)) if options.json else shown(completed))
    return 0
