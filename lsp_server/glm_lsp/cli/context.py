"""`glm-lsp context FILE --line L --column C`: what a model is given at one place of a file.

The packed context with the source and the token cost of each piece, and what was withheld.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_context.gathered import Gathered
from glm_lsp.cli.source_file import read_source, split_at
from glm_lsp.cli.workspace_root import code_context, opened, site_of, workspace_root
from glm_protocol.answers import End
from glm_protocol.completion import FOR_MEMORY, CodeContext, CompletionRequest
from glm_protocol.errors import GlmError
from glm_protocol.languages import language_id
from glm_protocol.request_fields import Trigger


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp context",
        description="Show what a model is given at one place of a file: each piece with its "
        "source and token cost, and what was withheld. Brings the workspace's index up to date.",
    )
    parser.add_argument("file", type=Path, help="the source file")
    parser.add_argument("--line", type=int, required=True, help="line, counted from 1")
    parser.add_argument("--column", type=int, required=True, help="column, counted from 1")
    parser.add_argument("--root", type=Path, help="the workspace (default: its git folder)")
    parser.add_argument("--language", help="LSP languageId (default: told by the file's name)")
    parser.add_argument("--model", help="count the tokens of this model (default: the default)")
    parser.add_argument(
        "--no-tokens", action="store_true", help="do not ask the daemon for token costs"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


async def ask_for_costs(context: CodeContext, model: str | None) -> End:
    """The end of a completion of one token, whose report tells what each piece costs."""
    request = CompletionRequest(
        id=uuid.uuid4().hex,
        document="glm-lsp context",
        context=context,
        trigger=Trigger.EXPLICIT,
        model=model,
        max_tokens=1,
        deadline_ms=120_000,
    )
    async with DaemonClient() as client:
        await client.connect()
        return (await client.whole(request)).end


def costs_of(end: End | None) -> dict[str, int]:
    """Tokens by source: a snippet's id, prefix, suffix, header, control."""
    costs: dict[str, int] = {}
    for piece in (end.report.get("pieces") or ()) if end is not None else ():
        source, tokens = str(piece["source"]), int(piece["tokens"])
        costs[source] = costs.get(source, 0) + tokens
    return costs


def as_json(
    context: CodeContext, gathered: Gathered, own: dict[str, tuple[str, ...]], end: End | None
) -> dict[str, Any]:
    """The object that `--json` prints; its words are a contract.

    `tokens` is null where the daemon was not asked or gives no costs, 0 for a piece that found
    no room in the prompt.
    """
    costs = costs_of(end)

    def cost(source: str) -> int | None:
        return costs.get(source, 0) if costs else None

    pieces = [
        {
            "source": snippet.source,
            "id": snippet.id,
            "path": snippet.path,
            "score": snippet.score,
            "tokens": cost(snippet.id),
            "text": snippet.text,
        }
        for snippet in context.snippets
    ]
    for name, text in (("suffix", context.suffix), ("prefix", context.prefix)):
        pieces.append(
            {"source": name, "id": name, "path": context.path, "score": None,
             "tokens": cost(name), "text": text}
        )  # fmt: skip
    withheld = [{"where": where, "kinds": list(kinds)} for where, kinds in own.items()]
    withheld += [{"where": each.path, "kinds": list(each.kinds)} for each in gathered.withheld]
    return {
        "path": context.path,
        "language": context.language,
        "model": None if end is None else end.model,
        "pieces": pieces,
        "prompt_tokens": None if end is None else end.tokens.prompt,
        "other_tokens": sum(costs.get(name, 0) for name in ("header", "control")) or None,
        "withheld": withheld,
    }


def shown(report: dict[str, Any]) -> str:
    """The same for people."""
    lines = [f"{report['path']} ({report['language']})"]
    for piece in report["pieces"]:
        tokens = "" if piece["tokens"] is None else f"{piece['tokens']:>6} tokens"
        tokens = "memory alone" if piece["source"] == FOR_MEMORY else tokens
        head = next((line.strip() for line in piece["text"].split("\n") if line.strip()), "")
        lines.append(f"  {piece['source']:<11}{tokens:>13}  {piece['path']}  {head[:60]}")
    if report["prompt_tokens"]:
        lines.append(f"  {'prompt':<11}{report['prompt_tokens']:>6} tokens, {report['model']}")
    for each in report["withheld"]:
        lines.append(f"  withheld in {each['where']}: {', '.join(each['kinds'])}")
    took = report["timings_ms"]
    lines.append(
        f"  index brought up to date in {took['index']} ms, gathered in {took['gather']} ms"
    )
    if report.get("problem"):
        lines.append(f"  no token costs: {report['problem']}")
    return "\n".join(lines)


def run(argv: Sequence[str]) -> int:
    """The `context` subcommand."""
    options = arguments().parse_args(argv)
    prefix, suffix = split_at(read_source(options.file), options.line, options.column)
    root = options.root.resolve() if options.root else workspace_root(options.file)
    language = options.language or language_id(options.file.name)
    site = site_of(options.file, root, language, prefix, suffix)
    began = time.perf_counter()
    with opened(root) as workspace:
        ready = time.perf_counter()
        gathered = Gathered() if workspace is None else workspace.gather(site)
        if workspace is not None:  # again: the first one started the parser and warmed the index
            ready_again = time.perf_counter()
            gathered = workspace.gather(site)
            took = time.perf_counter() - ready_again
        else:
            took = 0.0
    context, own = code_context(site, gathered)
    end, problem = None, ""
    if not options.no_tokens:
        try:
            end = asyncio.run(ask_for_costs(context, options.model))
        except GlmError as error:
            problem = str(error)
    report = as_json(context, gathered, own, end)
    report["timings_ms"] = {"index": round(1e3 * (ready - began)), "gather": round(1e3 * took, 1)}
    if problem:
        report["problem"] = problem
    print(json.dumps(report) if options.json else shown(report))
    return 0
