"""`glm-lsp stop`: asks the daemon to finish its work and end, and waits until it has."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from glm_client.daemon_client import DaemonClient
from glm_protocol.errors import DaemonUnreachable, EngineFailed
from glm_protocol.folders import user_folders

WAIT_S = 20.0  # the daemon ends open streams after 10 s


async def stop() -> int:
    """Returns the pid that ended. Raises DaemonUnreachable or EngineFailed."""
    async with DaemonClient() as client:
        health = await client.connect(start=False)
        await client.shutdown()
        give_up = time.monotonic() + WAIT_S
        while time.monotonic() < give_up:
            try:
                now = await client.health()
            except DaemonUnreachable:
                return health.pid
            if now.pid != health.pid:  # somebody's editor has started the next one already
                return health.pid
            await asyncio.sleep(0.05)
    raise EngineFailed(
        f"The daemon (pid {health.pid}) is still there after {WAIT_S:.0f} s.",
        remedy=f"End it: kill {health.pid}",
    )


def forget(folder: Path) -> int:
    """Delete the saved keys and values; how many files there were."""
    count = sum(1 for path in folder.glob("*") if path.is_file())
    shutil.rmtree(folder, ignore_errors=True)
    return count


def _await_end(pid: int) -> None:
    """Its workers end before it does, and they may write until then."""
    give_up = time.monotonic() + WAIT_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < give_up:
            os.kill(pid, 0)
            time.sleep(0.05)


def run(argv: Sequence[str]) -> int:
    """The `stop` subcommand. No daemon is not an error."""
    parser = argparse.ArgumentParser(prog="glm-lsp stop", description=__doc__)
    parser.add_argument(
        "--forget",
        action="store_true",
        help="delete what it saved of prompts (keys and values, see docs/security.md)",
    )
    options = parser.parse_args(argv)
    try:
        pid = asyncio.run(stop())
        print(f"stopped (pid {pid})")
        if options.forget:
            _await_end(pid)
    except DaemonUnreachable as error:
        print(error.message)
    if options.forget:
        print(f"forgot {forget(user_folders().saved_prefixes)} files of keys and values")
    return 0
