"""Index and context in a large workspace: `python -m bench.context [--files N] [--json FILE]`.

The workspace is made of copies of the Python source files that this interpreter has installed, in
a temporary folder. Real processes, a private home. What is timed as assembly is what a completion
waits for in the language server; what the worker takes behind it is a row of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from bench.machine import describe
from bench.summary import HEAD, Series, summarise
from glm_context.gathered import CursorSite
from glm_context.index_folder import index_folder
from glm_lsp.context_window import window_at
from glm_lsp.documents import Cursor, DocumentStore
from glm_lsp.workspace_knowledge import WorkspaceKnowledge

KEY_S = 0.12  # between two keys
KEYS = 8  # in one place
HOSTILE = ("(" * 20_000, "a<" * 50_000, "x=[" * 30_000, "if x:\n" * 50_000, "v = 1;" * 50_000)


def make_workspace(root: Path, count: int) -> int:
    """Copy `count` source files; the bytes copied. Raises ValueError where there are fewer."""
    places = [Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))]
    found = [f for place in places for f in sorted(place.rglob("*.py")) if usable(f)]
    found = list(dict.fromkeys(found))
    if len(found) < count:
        raise ValueError(f"only {len(found)} files are installed here; use --files")
    random.Random(1).shuffle(found)
    total = 0
    for number, file in enumerate(found[:count]):
        target = root / f"p{number % 97}" / f"q{number % 11}" / f"{file.stem}_{number}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        total += target.stat().st_size
    return total


def usable(file: Path) -> bool:
    return file.is_file() and not file.is_symlink() and 200 < file.stat().st_size < 60_000


def timed_build(root: Path, home: Path, paths: str | None = None) -> tuple[float, float, float]:
    """(seconds of CPU, seconds, peak MB) of one builder process."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "glm_context.index_build",
        str(root),
        "--home",
        str(home),
    ]
    began = time.perf_counter()
    process = subprocess.Popen(
        command if paths is None else [*command, "--paths"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write((paths or "").encode())
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.returncode
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / 1024


def resident(pid: int) -> float:
    """MB of a process and its children now."""
    total = 0.0
    listed = subprocess.run(
        ["ps", "-o", "rss=", "--pid", str(pid), "--ppid", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    total += sum(int(line) for line in listed.stdout.split())
    return total / 1024


async def typing(
    root: Path, files: list[Path], rng: random.Random
) -> tuple[list[float], list[float], int, int, float]:
    """Type in each file: ms of each assembly, ms of each gathering, requests with snippets and in
    all, and the MB of the worker's processes at the end."""
    pure = PurePosixPath(root)
    knowledge = WorkspaceKnowledge(
        lambda _: pure, lambda uri: uri.removeprefix(f"file://{root}/"), lambda *_: None
    )
    store = DocumentStore()
    waited, gathered, filled, asked = [], [], 0, 0
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        document = store.open(f"file://{file}", "python", 1, text)
        knowledge.begin(document)
        await asyncio.sleep(0.3 if asked else 2.0)  # opening a file and finding the place in it
        line = rng.randrange(len(document.lines))
        for key in range(KEYS):
            column = min(key, len(document.lines[line].rstrip("\n")))
            window = window_at(document, Cursor(line=line, index=column))
            began = time.perf_counter()
            snippets = await knowledge.snippets(document, window)
            waited.append(1e3 * (time.perf_counter() - began))
            asked += 1
            filled += bool(snippets)
            await asyncio.sleep(KEY_S)
        gathered.append(knowledge.last[document.uri].gathered_ms)
        knowledge.forget(document.uri)
        store.close(document.uri)
    process = knowledge._workers[root]._process
    assert process is not None
    size = resident(process.pid)
    await knowledge.aclose()
    return waited, [g for g in gathered if g], filled, asked, size


async def round_trips(root: Path, home: Path, files: list[Path], rng: random.Random) -> list[float]:
    """ms from question to answer of the worker, one place after the other, cold documents."""
    from glm_context.context_worker import ContextWorker

    worker = ContextWorker(root, home)
    await worker.start()
    await asyncio.sleep(3.0)  # its own look at the workspace
    times = []
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        site = CursorSite(
            path=file.relative_to(root).as_posix(),
            language="python",
            text=text,
            offset=rng.randrange(len(text)),
        )
        began = time.perf_counter()
        assert await worker.gather(site) is not None
        times.append(1e3 * (time.perf_counter() - began))
    await worker.aclose()
    return times


def p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def add_hostile(root: Path) -> None:
    """Files beside every other that a parser dies of."""
    for number, text in enumerate(HOSTILE):
        for ending in ("py", "cpp", "js"):
            (root / f"hostile{number}.{ending}").write_text(text)


def measure(count: int) -> list[Series]:
    """Every series."""
    series: list[Series] = []
    with tempfile.TemporaryDirectory(prefix="glm-bench-") as name:
        root, home = Path(name).resolve() / "work", Path(name).resolve() / "home"
        os.environ["GLM_LSP_HOME"] = str(home)
        size = make_workspace(root, count)
        cpu, wall, peak = timed_build(root, home)
        mb = size / 1e6
        series.append(summarise(f"source of {count:,} files", "MB", [mb]))
        series.append(summarise("first build, source a second of CPU", "MB/s", [mb / cpu]))
        series.append(summarise("first build, from start to end", "s", [wall]))
        series.append(summarise("first build, peak memory of the builder", "MB", [peak]))
        folder = index_folder(home, root)
        disk = sum(f.stat().st_size for f in folder.path.iterdir()) / 1e6
        series.append(summarise("index on disk", "MB", [disk]))
        again = [timed_build(root, home)[1] for _ in range(3)]
        series.append(summarise("build with nothing changed", "s", again))
        rng = random.Random(2)
        files = sorted(root.rglob("*.py"))
        saved = rng.sample(files, 5)
        ms = [1e3 * timed_build(root, home, f.relative_to(root).as_posix())[1] for f in saved]
        series.append(summarise("one saved file taken in (a process of its own)", "ms", ms))
        chosen = rng.sample(files, 80)
        trips = asyncio.run(round_trips(root, home, chosen, rng))
        series.append(summarise("worker's answer, document not seen before", "ms", trips))
        waited, gathered, filled, asked, size_mb = asyncio.run(typing(root, chosen[:40], rng))
        series.append(summarise("assembly in the language server, while typing", "ms", waited))
        series.append(summarise("gathering in the worker, while typing", "ms", gathered))
        series.append(summarise("requests that had snippets", "%", [100 * filled / asked]))
        series.append(summarise("worker and parse process, resident", "MB", [size_mb]))
        add_hostile(root)
        timed_build(root, home)
        beside, *_ = asyncio.run(typing(root, chosen[40:60], rng))
        series.append(summarise("assembly with hostile files as neighbours", "ms", beside))
        ratio = p95(beside) / p95(waited)
        series.append(summarise("the same, at p95, over that without them", "times", [ratio]))
    return series


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.context", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    machine = {**describe(), "nice": str(os.nice(0))}  # below 0: hardly touched by the load
    series = measure(options.files)
    print("; ".join(f"{key} {value}" for key, value in machine.items()))
    print(HEAD)
    for each in series:
        print(each.row())
    if options.json:
        wire = {"machine": machine, "series": [asdict(each) for each in series]}
        options.json.write_text(json.dumps(wire, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
