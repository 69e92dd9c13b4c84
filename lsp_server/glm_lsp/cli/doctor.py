"""`glm-lsp doctor`: what is installed, which device, which model, one sample completion.

Each check says ok, note or fault, and a fault says what to do about it. Exit code 1 on a fault.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_lsp.cli.main import NEEDS_LOCAL
from glm_lsp.cli.retrieval_check import check_retrieval
from glm_protocol.build import package_version
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.errors import GlmError
from glm_protocol.request_fields import Trigger

LOAD_S = 120.0  # longest wait for a model to load
SAMPLE = CodeContext(
    path="sample.py",
    language="python",
    prefix="import json\n\n\ndef read(path):\n    with open(path) as file:\n        return ",
    suffix="\n",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the report. `state` is "ok", "note" or "fault"; a fault has a remedy."""

    state: str
    subject: str
    text: str
    remedy: str = ""


def check_python() -> Finding:
    text = f"Python {platform.python_version()} at {sys.executable}, glm-lsp {package_version()}"
    return Finding(state="ok", subject="python", text=text)


def check_packages() -> Finding:
    """Packages that run models; their absence is no fault where a team's daemon is used."""
    found, missing = [], []
    for name in NEEDS_LOCAL:
        try:
            package = {"PIL": "pillow"}.get(name, name)  # imported and installed by two names
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(
            state="fault",
            subject="packages",
            text=f"missing: {', '.join(missing)}",
            remedy="To run models on this machine: pip install 'glm-lsp[local]'",
        )
    return Finding(state="ok", subject="packages", text=", ".join(found))


def fault(subject: str, error: GlmError) -> Finding:
    return Finding(state="fault", subject=subject, text=error.message, remedy=error.remedy)


async def check_daemon(client: DaemonClient) -> Finding:
    try:
        health = await client.connect()
    except GlmError as error:
        return fault("daemon", error)
    text = f"running, pid {health.pid}, up {health.uptime_s:.0f} s"
    if client.other_build:
        return Finding(
            state="fault",
            subject="daemon",
            text=f"{text}, but of another build than this command",
            remedy="Run `glm-lsp stop`; the next request starts this build.",
        )
    return Finding(state="ok", subject="daemon", text=text)


async def check_model(client: DaemonClient) -> Finding:
    """The default model's engine, waiting while it loads."""
    give_up = time.monotonic() + LOAD_S
    while time.monotonic() < give_up:
        report = await client.status()
        engines: list[dict[str, Any]] = report["engines"]
        engine = next((e for e in engines if e["model"] == report["model"]), None)
        if engine and engine["state"] == "ready":
            info = engine["info"]
            text = (
                f"{info['model']} ({info['architecture']}) on {info['device']} in {info['dtype']}, "
                f"{info.get('backend', 'torch')} engine, "
                f"context {info['context_length']} tokens, {', '.join(info['capabilities'])}"
            )
            notes = "; ".join(info["notes"])
            state = "note" if notes else "ok"
            return Finding(state=state, subject="model", text=f"{text}. {notes}".rstrip(". "))
        if engine and engine["state"] in ("unusable", "failed"):
            error = engine["last_error"]
            return Finding(
                state="fault", subject="model", text=error["message"], remedy=error["remedy"]
            )
        await asyncio.sleep(0.1)
    return Finding(
        state="fault",
        subject="model",
        text=f"{report['model']} was not loaded after {LOAD_S:.0f} s",
        remedy="See the daemon's log, or choose a smaller model: `glm-lsp models`.",
    )


async def check_completion(client: DaemonClient) -> Finding:
    """One sample, asked twice: the second shows what an editor sees while typing."""
    took: list[float] = []
    for _ in range(2):
        request = CompletionRequest(
            id=uuid.uuid4().hex,
            document="doctor",
            context=SAMPLE,
            trigger=Trigger.EXPLICIT,
            max_tokens=16,
        )
        began = time.perf_counter()
        completed = await client.whole(request)
        took.append(1e3 * (time.perf_counter() - began))
    line = (completed.text.splitlines() or [""])[0]
    return Finding(
        state="ok" if completed.text.strip() else "note",
        subject="completion",
        text=f"{took[0]:.0f} ms, again {took[1]:.0f} ms: return {line!r}",
    )


async def check_context() -> Finding:
    """A real query to the index of a sample workspace."""
    state, text, remedy = await asyncio.to_thread(check_retrieval)
    return Finding(state=state, subject="context", text=text, remedy=remedy)


async def findings() -> AsyncIterator[Finding]:
    """Every check in order; those that need an earlier one are left out when it failed."""
    yield check_python()
    yield check_packages()
    yield await check_context()
    async with DaemonClient() as client:
        for check in (check_daemon, check_model, check_completion):
            try:
                finding = await check(client)
            except GlmError as error:
                finding = fault(check.__name__.removeprefix("check_"), error)
            yield finding
            if finding.state == "fault":
                return


async def report(*, as_json: bool) -> int:
    seen = []
    async for finding in findings():
        seen.append(finding)
        if not as_json:
            print(f"{finding.state:<6} {finding.subject:<11} {finding.text}")
            if finding.remedy:
                print(f"{'':<18} {finding.remedy}")
    if as_json:
        print(json.dumps([asdict(finding) for finding in seen]))
    return int(any(finding.state == "fault" for finding in seen))


def run(argv: Sequence[str]) -> int:
    """The `doctor` subcommand."""
    parser = argparse.ArgumentParser(prog="glm-lsp doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args(argv)
    return asyncio.run(report(as_json=options.json))
