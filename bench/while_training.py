"""What a fine-tuning job costs a completion: `python -m bench.while_training [--json FILE]`.

The bundled model in a daemon of its own. In each round a job learns Python's own unittest package;
completions are asked for while it computes, then the job is cancelled and they are asked for
alone. The lease stops the job's process whenever a completion is at work. The aim is a 95th
percentile of at most one and a half times that of completions alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
import unittest
from collections.abc import Iterator
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

from bench.machine import describe
from bench.summary import HEAD, summarise
from bench.while_drawing import FILE, PAUSE_S, completion_ms
from glm_client.daemon_address import LocalDaemon
from glm_client.daemon_client import DaemonClient
from glm_protocol.folders import Folders

JOBS = "/v1/fine_tuning/jobs"
LEARNED = Path(unittest.__file__).parent
AIM = 1.5
START_S = 240.0  # until a job's first step, at most


async def started(client: DaemonClient, number: int) -> str:
    """The id of a job that has taken its second step."""
    body: dict[str, Any] = {
        "training_file": str(LEARNED),
        "suffix": f"bench-{number}",
        "minutes": 600,
    }
    body |= {"hyperparameters": {"n_epochs": 1}}  # few rows to draw before the first step
    job = str((await client.call("POST", JOBS, body))["id"])
    give_up = time.monotonic() + START_S
    while True:
        if await steps_of(client, job) >= 2:
            return job
        found = await client.call("GET", f"{JOBS}/{job}")
        if found["status"] == "failed" or time.monotonic() > give_up:
            raise SystemExit(f"the job does not train: {found}")
        await asyncio.sleep(0.5)


async def steps_of(client: DaemonClient, job: str) -> int:
    """The last step that a job told of."""
    told: dict[str, Any] = await client.call("GET", f"{JOBS}/{job}/events?limit=5")
    return max((int(e["data"].get("step", 0)) for e in told["data"]), default=0)


async def cancelled(client: DaemonClient, job: str) -> None:
    """Ask a job to end, and see it end."""
    await client.call("POST", f"{JOBS}/{job}/cancel", {})
    for _ in range(300):
        if (await client.call("GET", f"{JOBS}/{job}"))["status"] != "running":
            return
        await asyncio.sleep(0.2)
    raise SystemExit("the job does not end")


async def measure(
    folders: Folders, rounds: int, block: int
) -> tuple[list[float], list[float], int]:
    """(milliseconds alone, milliseconds while training, steps trained between completions)."""
    text = FILE.read_text(encoding="utf-8")
    spots = cycle(range(1, len(text.splitlines()) - 1))

    async def asked(client: DaemonClient, lines: Iterator[int]) -> list[float]:
        took = []
        for _ in range(block):
            took.append(await completion_ms(client, text, next(lines)))
            await asyncio.sleep(PAUSE_S)
        return took

    alone, beside, steps = list[float](), list[float](), 0
    async with DaemonClient(LocalDaemon(folders=folders)) as client:
        await client.connect()
        await asked(client, spots)  # loads and warms the model
        for number in range(rounds):
            job = await started(client, number)
            before = await steps_of(client, job)
            beside += await asked(client, spots)
            steps += await steps_of(client, job) - before
            await cancelled(client, job)
            alone += await asked(client, spots)
        await client.shutdown()
    return alone, beside, steps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--block", type=int, default=40, help="completions a round, each way")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    machine = describe()
    with tempfile.TemporaryDirectory(prefix="glm-") as folder:
        root = Path(folder)
        os.environ["GLM_LSP_HOME"] = str(root / "home")
        os.environ["GLM_LSP_RUNTIME"] = str(root / "run")
        folders = Folders(home=root / "home", runtime=root / "run")
        alone, beside, steps = asyncio.run(measure(folders, options.rounds, options.block))
    series = [
        summarise("completion, nothing else at work", "ms", alone),
        summarise("completion while a job trains", "ms", beside),
    ]
    times = series[1].high / series[0].high
    print("; ".join(f"{key} {value}" for key, value in machine.items()))
    print("\n".join([HEAD, *(one.row() for one in series)]))
    print(f"p95: {times:.2f} times that alone (aim: {AIM}); {steps} steps trained in between")
    if options.json:
        wire = {
            "machine": machine, "series": [asdict(one) for one in series],
            "p95_times": round(times, 3), "steps_meanwhile": steps,
        }  # fmt: skip
        options.json.write_text(json.dumps(wire, indent=1) + "\n", encoding="utf-8")
    return int(times > AIM)


if __name__ == "__main__":
    sys.exit(main())
