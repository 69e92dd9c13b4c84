"""The daemon for hours in minutes: `python -m bench.soak [--requests 5000] [--seed 1]`.

The fake engine completes for eight documents at once. A fifth of the clients leave in the middle,
and the worker is killed (SIGKILL) again and again. Fails when an answer is wrong, when the daemon
is not back within 5 s of a kill, or when its memory grows by more than 16 MB after the first fifth.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from bench.latency import fake_daemon
from glm_client.daemon_address import LocalDaemon
from glm_client.daemon_client import DaemonClient
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.errors import DaemonUnreachable, EngineFailed, NotReady
from glm_protocol.folders import Folders

DOCUMENTS = 8
BATCH = 400  # requests between two looks at the daemon
KILL_EVERY_S = 16.0  # slower than the breaker, which gives up after five deaths in a minute
BACK_WITHIN_S = 5.0
GROWTH_MB = 16.0
PASSING = (EngineFailed, NotReady, DaemonUnreachable)  # what a kill may cost a request


@dataclass(kw_only=True)
class Tally:
    """What happened."""

    answered: int = 0
    left: int = 0
    lost_to_kills: int = 0
    wrong: list[str] = field(default_factory=list)
    kills: int = 0
    slowest_return_s: float = 0.0
    memory_mb: list[float] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        grown = self.memory_mb[-1] - self.memory_mb[0] > GROWTH_MB
        return bool(self.wrong) or self.slowest_return_s > BACK_WITHIN_S or grown

    def table(self) -> str:
        rows = {
            "answered, each checked": self.answered,
            "clients that left in the middle": self.left,
            "workers killed": self.kills,
            "requests lost to a kill": self.lost_to_kills,
            "slowest return after a kill": f"{self.slowest_return_s:.2f} s",
            "daemon's memory, after a fifth and at the end": (
                f"{self.memory_mb[0]:.0f} and {self.memory_mb[-1]:.0f} MB"
            ),
            "wrong answers": len(self.wrong),
        }
        lines = [f"| {name} | {value} |" for name, value in rows.items()]
        return "\n".join(["| what | |", "| --- | --- |", *lines])


def request_of(number: int, document: int) -> CompletionRequest:
    context = CodeContext(
        path=f"{document}.py", language="python", prefix=f"value_{number} = f(", suffix=""
    )
    return CompletionRequest(id=f"r{number}", document=f"d{document}", context=context)


async def worker_pid(client: DaemonClient) -> int | None:
    engines = (await client.status())["engines"]
    return next((engine["pid"] for engine in engines if engine["pid"]), None)


async def editor(
    client: DaemonClient, document: int, numbers: range, draw: random.Random, tally: Tally
) -> None:
    """One document's requests, one after another."""
    for number in numbers:
        leave = draw.random() < 0.2
        text = ""
        try:
            async with aclosing(client.stream(request_of(number, document))) as chunks:
                async for chunk in chunks:
                    text += chunk.text
                    if leave and text:
                        break
        except PASSING:
            tally.lost_to_kills += 1
            await asyncio.sleep(0.05)
            continue
        if leave:
            tally.left += 1
        elif text.startswith("fake_argument_") and text.endswith(")"):
            tally.answered += 1
        else:
            tally.wrong.append(text[:80])


async def kill_worker(client: DaemonClient, tally: Tally) -> None:
    """SIGKILL, then wait until a request is answered again."""
    pid = await worker_pid(client)
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    tally.kills += 1
    began = time.monotonic()
    while time.monotonic() - began < 2 * BACK_WITHIN_S:
        try:
            await client.whole(request_of(0, DOCUMENTS))
            break
        except PASSING:
            await asyncio.sleep(0.05)
    tally.slowest_return_s = max(tally.slowest_return_s, time.monotonic() - began)


async def soak(folders: Folders, requests: int, seed: int) -> Tally:
    tally, draw = Tally(), random.Random(seed)
    async with DaemonClient(LocalDaemon(folders=folders)) as client:
        await client.connect()
        killed = time.monotonic()
        for first in range(0, requests, BATCH):
            each = BATCH // DOCUMENTS
            editors = [
                editor(client, k, range(first + k * each, first + (k + 1) * each), draw, tally)
                for k in range(DOCUMENTS)
            ]
            await asyncio.gather(*editors)
            if time.monotonic() - killed > KILL_EVERY_S:
                await kill_worker(client, tally)
                killed = time.monotonic()
            if first >= requests // 5 - BATCH:
                tally.memory_mb.append((await client.status())["rss_bytes"] / 1e6)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glm-") as folder:
        root = Path(folder)
        with fake_daemon(root, {"rows": 4, "step_delay_s": 0.001}):
            folders = Folders(home=root / "home", runtime=root / "run")
            tally = asyncio.run(soak(folders, options.requests, options.seed))
    print(tally.table())
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
