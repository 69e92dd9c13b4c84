"""`glm-lsp stop`: asks the daemon to finish its work and end, and waits until it has."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence

from glm_client.daemon_client import DaemonClient
from glm_protocol.errors import DaemonUnreachable, EngineFailed

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


def run(argv: Sequence[str]) -> int:
    """The `stop` subcommand. No daemon is not an error."""
    argparse.ArgumentParser(prog="glm-lsp stop", description=__doc__).parse_args(argv)
    try:
        print(f"stopped (pid {asyncio.run(stop())})")
    except DaemonUnreachable as error:
        print(error.message)
    return 0
