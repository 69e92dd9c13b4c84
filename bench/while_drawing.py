"""What a picture being drawn costs a completion: `python -m bench.while_drawing [--json FILE]`.

The bundled models in a daemon of its own. Completions go along one file, a line further each time;
blocks with pictures being drawn take turns with blocks of silence, so that the machine's moods meet
both. Between two completions the picture gets its turn, as it does while someone types. The aim is
30 ms at the 95th percentile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

from bench.machine import describe
from bench.summary import HEAD, Series, summarise
from glm_client.daemon_address import LocalDaemon
from glm_client.daemon_client import DaemonClient
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.drawing import DrawRequest
from glm_protocol.folders import Folders
from glm_protocol.request_fields import Trigger

FILE = Path(__file__).with_name("soak.py")  # any file of ordinary code
AIM_MS = 30.0
BLOCK = 5  # completions in a row under one condition
PAUSE_S = 0.15  # between two completions, a key at 80 words a minute
WINDOW = 24_000


@dataclass(kw_only=True)
class Drawing:
    """Pictures, one after the other, while a block lasts. `steps`: notices of steps so far."""

    steps: int = 0

    async def go_on(self, client: DaemonClient, number: int) -> None:
        while True:
            number += 1
            asked = DrawRequest(
                id=f"draw-{number}", document=f"draw-{number}", prompt="a red star", seed=number
            )
            async with aclosing(client.stream(asked)) as chunks:
                async for chunk in chunks:
                    self.steps += chunk.progress is not None


@asynccontextmanager
async def drawing(client: DaemonClient, number: int) -> AsyncIterator[Drawing]:
    """Yields when the first steps of a picture are done; ends the stream behind the block."""
    state = Drawing()
    task = asyncio.create_task(state.go_on(client, number * 1000))
    try:
        while state.steps < 3:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        yield state
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def completion_ms(client: DaemonClient, text: str, line: int) -> float:
    """From the request to its end, behind `line` lines of the text."""
    lines = text.splitlines(keepends=True)
    asked = CompletionRequest(
        id=f"c{line}", document="bench",
        context=CodeContext(
            path=FILE.name, language="python",
            prefix="".join(lines[:line])[-WINDOW:] + "    ", suffix="".join(lines[line + 1 :]),
        ),
        trigger=Trigger.EXPLICIT, max_tokens=24, deadline_ms=120_000,
    )  # fmt: skip
    began = time.perf_counter()
    await client.whole(asked)
    return 1e3 * (time.perf_counter() - began)


async def measure(folders: Folders, blocks: int) -> tuple[list[float], list[float], int]:
    """(milliseconds alone, milliseconds while drawing, notices of steps that came meanwhile)."""
    text = FILE.read_text(encoding="utf-8")
    spots = cycle(range(1, len(text.splitlines()) - 1))
    alone, beside, steps = list[float](), list[float](), 0

    async def block(client: DaemonClient) -> list[float]:
        took = []
        for _ in range(BLOCK):
            took.append(await completion_ms(client, text, next(spots)))
            await asyncio.sleep(PAUSE_S)
        return took

    async with DaemonClient(LocalDaemon(folders=folders)) as client:
        await client.connect()
        async with drawing(client, 0):
            await block(client)  # loads and warms both models
        for number in range(blocks):
            alone += await block(client)
            async with drawing(client, 1 + number) as state:
                beside += await block(client)
            steps += state.steps
        await client.shutdown()
    return alone, beside, steps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=40, help=f"of {BLOCK}, each way")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    machine = describe()
    with tempfile.TemporaryDirectory(prefix="glm-") as folder:
        root = Path(folder)
        os.environ["GLM_LSP_HOME"] = str(root / "home")
        os.environ["GLM_LSP_RUNTIME"] = str(root / "run")
        folders = Folders(home=root / "home", runtime=root / "run")
        alone, beside, steps = asyncio.run(measure(folders, options.blocks))
    series = [
        summarise("completion, nothing else at work", "ms", alone),
        summarise("completion while a picture is drawn", "ms", beside),
    ]
    delay = series[1].high - series[0].high
    print("; ".join(f"{key} {value}" for key, value in machine.items()))
    print("\n".join([HEAD, *(one.row() for one in series)]))
    print(f"delay at p95: {delay:.1f} ms (aim: at most {AIM_MS:.0f})")
    print(f"meanwhile the drawings told {steps} times of a step done")
    if options.json:
        report(options.json, machine, series, delay)
    return int(delay > AIM_MS)


def report(file: Path, machine: dict[str, str], series: list[Series], delay: float) -> None:
    wire = {
        "machine": machine, "series": [asdict(one) for one in series],
        "delay_p95_ms": round(delay, 1),
    }  # fmt: skip
    file.write_text(json.dumps(wire, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
