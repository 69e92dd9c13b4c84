"""`glm-lsp eval replay PATH`: types the lines that commits added, and counts the keys saved.

At every key the daemon is asked as an editor asks while typing. Where the suggestion is what comes
next, up to its last character, it is taken with one key. Also counted: how much of each prompt
came from the KV cache.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_client.memory_feed import feed
from glm_codegen.evaluate.commit_lines import TypedRun, typed_runs
from glm_codegen.evaluate.intervals import estimate, quantile
from glm_codegen.evaluate.repository_holes import workspace_texts
from glm_codegen.evaluate.repository_run import AFTER, BEFORE
from glm_context.secret_rules import redact
from glm_protocol.completion import CodeContext, CompletionRequest, GhostText
from glm_protocol.errors import BadRequest
from glm_protocol.request_fields import Trigger
from glm_protocol.settings import InlineCompletionSettings

STRIDE = 32  # lines; as the language server cuts its window
MAX_TOKENS = 64


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp eval replay",
        description="Type again what the commits of a git repository added, line by line, and "
        "count the keys that suggestions would have saved. The memory holds the other files as "
        "they are now.",
    )
    parser.add_argument("path", type=Path, help="the repository's folder")
    parser.add_argument("--since", default="1970-01-01", help="commits after this date")
    parser.add_argument("--commits", type=int, default=50, help="at most so many (default: 50)")
    parser.add_argument("--lines", type=int, default=40, help="lines to type (default: 40)")
    parser.add_argument("--seed", type=int, default=1, help="draws other lines (default: 1)")
    parser.add_argument("--no-memory", action="store_true", help="the model's word alone")
    parser.add_argument("--model", help="a model of `glm-lsp models` (default: its default)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


@dataclass(kw_only=True)
class Tally:
    """Counts over all keys. `first` of a file is no keystroke: its prompt is new."""

    characters: int = 0
    keys: int = 0
    taken: int = 0
    asked: int = 0
    shown: int = 0
    saved: list[float] = field(default_factory=list)  # share of each line
    prompt: int = 0
    reused: int = 0
    total_ms: list[float] = field(default_factory=list)
    model: str = ""


class Typist:
    """Types runs of lines with the daemon at hand."""

    def __init__(self, client: DaemonClient, *, model: str | None, memory: bool) -> None:
        self._client = client
        self._model = model
        self._memory = memory
        self._workspace = f"eval/{uuid.uuid4().hex}"
        self.tally = Tally()

    async def remember(self, root: Path) -> None:
        if self._memory:
            texts = workspace_texts(root)
            async for _ in feed(self._client, self._workspace, texts, model=self._model):
                pass

    async def type_run(self, run: TypedRun, most: int) -> int:
        """Type the lines of a run; returns how many. Raises GlmError."""
        before, fresh = run.before, True
        for number, line in enumerate(run.lines[:most]):
            if line.strip():
                await self._type_line(run, before, line, fresh=fresh)
                fresh = False
            before += line + "\n"
            if number + 1 == most:
                return most
        return len(run.lines[:most])

    async def _type_line(self, run: TypedRun, before: str, line: str, *, fresh: bool) -> None:
        indent = len(line) - len(line.lstrip())
        at, keys = indent, 0  # an editor indents by itself
        while at < len(line):
            suggestion = await self._ask(run, before + line[:at], fresh=fresh)
            fresh = False
            said = suggestion.split("\n", 1)[0]
            keys += 1
            if said and line.startswith(said, at):
                at += len(said)
                self.tally.taken += 1
            else:
                at += 1
        self.tally.characters += len(line) - indent
        self.tally.keys += keys
        self.tally.saved.append(1 - keys / (len(line) - indent))

    async def _ask(self, run: TypedRun, prefix: str, *, fresh: bool) -> str:
        quiet = InlineCompletionSettings().quiet / 100
        request = CompletionRequest(
            id=uuid.uuid4().hex,
            document=f"{self._workspace}/{run.path}",
            context=CodeContext(
                path=run.path,
                language=run.language,
                prefix=redact(window_before(prefix), run.language)[0],
                suffix=redact(run.after[:AFTER], run.language)[0],
            ),
            trigger=Trigger.AUTOMATIC,
            model=self._model,
            max_tokens=MAX_TOKENS,
            deadline_ms=60_000,
            workspace=self._workspace if self._memory else "",
            memory=self._memory,
            ghost=GhostText(quiet=quiet),
        )
        answer = await self._client.whole(request)
        tally, end = self.tally, answer.end
        said = str(end.report.get("final", answer.text))
        tally.model = end.model
        tally.asked += 1
        tally.shown += bool(said)
        tally.total_ms.append(end.timings_ms.total)
        if not fresh:
            tally.prompt += end.tokens.prompt
            tally.reused += end.tokens.reused
        return said


def window_before(prefix: str) -> str:
    """The end of a long prefix, cut at a line on a coarse grid as the language server does."""
    if len(prefix) <= BEFORE:
        return prefix
    lines = prefix.split("\n")
    size, first = 0, len(lines)
    while first > 0 and size + len(lines[first - 1]) + 1 <= BEFORE:
        first -= 1
        size += len(lines[first]) + 1
    return "\n".join(lines[min(-(-first // STRIDE) * STRIDE, len(lines) - 1) :])


def result(tally: Tally, repository: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The object that `--json` prints."""
    saved = estimate(tally.saved)
    return {
        "format": 1,
        "repository": repository,
        "model": tally.model,
        "settings": settings,
        "lines": len(tally.saved),
        "characters": tally.characters,
        "keys": tally.keys,
        "keys_saved": None if saved is None else asdict(saved),
        "asked": tally.asked,
        "shown": tally.shown,
        "taken": tally.taken,
        "kv_reused": round(tally.reused / tally.prompt, 4) if tally.prompt else None,
        "total_ms": {
            "p50": round(quantile(tally.total_ms, 0.5), 1),
            "p95": round(quantile(tally.total_ms, 0.95), 1),
        }
        if tally.total_ms
        else None,
    }


async def replay(root: Path, runs: Sequence[TypedRun], options: argparse.Namespace) -> Tally:
    async with DaemonClient() as client:
        await client.connect()
        typist = Typist(client, model=options.model, memory=not options.no_memory)
        await typist.remember(root)
        left = options.lines
        for run in runs:
            if left <= 0:
                break
            left -= await typist.type_run(run, left)
            if sys.stderr.isatty():
                print(f"\r{options.lines - left} lines ", end="", file=sys.stderr, flush=True)
        return typist.tally


def run(argv: Sequence[str]) -> int:
    """The `eval replay` subcommand."""
    options = arguments().parse_args(argv)
    root = options.path.resolve()
    runs = list(typed_runs(root, since=options.since, most_commits=options.commits))
    if not runs or options.lines < 1:
        raise BadRequest(f"No commit of {root} added lines of code in that time.")
    random.Random(options.seed).shuffle(runs)
    tally = asyncio.run(replay(root, runs, options))
    settings = {
        "since": options.since,
        "commits": options.commits,
        "seed": options.seed,
        "memory": not options.no_memory,
    }
    wire = result(tally, root.name, settings)
    if options.json:
        print(json.dumps(wire))
        return 0
    saved = wire["keys_saved"]
    print(f"{wire['lines']} lines of {root.name}, {wire['characters']} characters, {tally.model}")
    print(f"keys saved: {100 * saved['value']:.1f} % a line ({100 * saved['low']:.1f} to "
          f"{100 * saved['high']:.1f}); asked {tally.asked} times, shown {tally.shown}, "
          f"taken {tally.taken}")  # fmt: skip
    print(f"prompt tokens reused from the KV cache: {100 * (wire['kv_reused'] or 0):.1f} %")
    print(f"answer in ms: p50 {wire['total_ms']['p50']}, p95 {wire['total_ms']['p95']}")
    return 0
