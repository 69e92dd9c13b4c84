"""`glm-lsp status`: what the daemon is doing. Never starts one."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_protocol.errors import DaemonUnreachable

EXIT_NOT_RUNNING = 3  # as `systemctl status` answers for a stopped unit


async def ask() -> dict[str, Any]:
    """The daemon's report. Raises DaemonUnreachable where none runs."""
    async with DaemonClient() as client:
        await client.connect(start=False)
        return {**await client.status(), "other_build": client.other_build}


def megabytes(count: int | None) -> str:
    return "?" if count is None else f"{count / 1e6:.0f} MB"


def lines(report: dict[str, Any]) -> list[str]:
    """The report for people."""
    text = [
        f"daemon   {report['state']}, pid {report['pid']}, up {report['uptime_s']:.0f} s, "
        f"{megabytes(report['rss_bytes'])}, version {report['version']}",
        f"queue    {report['queue']['running']} running, {report['queue']['waiting']} waiting "
        f"(at most {report['queue']['limit']})",
    ]
    if report["other_build"]:
        text.append("note     it runs another build than this command; `glm-lsp stop` replaces it")
    for engine in report["engines"]:
        info = engine["info"]
        where = f", {info['device']} {info['dtype']}, {info['architecture']}" if info else ""
        text.append(
            f"engine   {engine['model']}: {engine['state']}{where}, "
            f"{megabytes(engine['rss_bytes'])}, {engine['restarts']} restarts"
        )
        text += [f"         {note}" for note in (info or {}).get("notes", ())]
        if engine["last_error"] and engine["state"] != "ready":
            error = engine["last_error"]
            text.append(f"         {error['message']} {error['remedy']}")
    if not report["engines"]:
        text.append("engine   none loaded")
    return text


def run(argv: Sequence[str]) -> int:
    """The `status` subcommand; exit code 3 when no daemon runs."""
    parser = argparse.ArgumentParser(prog="glm-lsp status", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    try:
        report = asyncio.run(ask())
    except DaemonUnreachable as error:
        print(json.dumps({"state": "not running"}) if options.json else error.message)
        return EXIT_NOT_RUNNING
    print(json.dumps(report) if options.json else "\n".join(lines(report)))
    return 0
