"""The asyncio end of the context process: answers, deaths, hangs, two of one folder."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from glm_context import context_worker
from glm_context.async_syntax import AsyncSyntax
from glm_context.context_worker import ContextWorker
from glm_context.gathered import CursorSite
from tests.support.invariants import assert_all_gone, descendants

SITE = CursorSite(path="b.py", language="python", text="wanted_name(", offset=12)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.py").write_text("def wanted_name(one, two):\n    return one\n")
    return root


async def until_whole(worker: ContextWorker) -> None:
    async with asyncio.timeout(60):
        while not ((await worker.status()) or {}).get("whole"):
            await asyncio.sleep(0.05)


async def test_a_dead_process_is_started_again_with_the_index_it_had(
    root: Path, tmp_path: Path
) -> None:
    worker = ContextWorker(root, tmp_path / "home")
    try:
        await worker.start()
        await until_whole(worker)
        assert worker._process is not None
        first = worker._process.pid
        os.kill(first, signal.SIGKILL)
        await worker._process.wait()
        async with asyncio.timeout(60):
            while (answer := await worker.gather(SITE)) is None or not answer[0].snippets:
                await asyncio.sleep(0.05)
        assert answer[0].snippets[0].path == "a.py"
        assert worker._process.pid != first
    finally:
        await worker.aclose()


async def test_one_that_keeps_dying_is_left_alone(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    worker = ContextWorker(root, tmp_path / "home")
    for _ in range(8):
        assert await worker.gather(SITE) is None
    assert len(worker._starts) == context_worker.MAX_STARTS
    await worker.aclose()


async def test_one_that_hangs_is_started_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = ContextWorker(root, tmp_path / "home")
    try:
        await worker.start()
        await until_whole(worker)
        assert worker._process is not None
        hung = worker._process
        hung.send_signal(signal.SIGSTOP)
        waiting = asyncio.ensure_future(worker.gather(SITE))
        await asyncio.sleep(0.05)
        monkeypatch.setattr(context_worker, "HUNG_S", 0.0)
        async with asyncio.timeout(60):
            answer = await worker.gather(SITE)
        assert answer is not None
        assert await waiting is None
        assert hung.returncode == -signal.SIGKILL
    finally:
        await worker.aclose()


async def test_a_start_that_is_cancelled_leaves_no_process(root: Path, tmp_path: Path) -> None:
    before = {process.pid for process in descendants(os.getpid())}
    worker = ContextWorker(root, tmp_path / "home")
    starting = asyncio.ensure_future(worker.start())
    await asyncio.sleep(0)
    starting.cancel()
    await worker.aclose()
    assert await worker.gather(SITE) is None  # closed for good
    syntax = AsyncSyntax()
    asking = asyncio.ensure_future(syntax.outline("x = 1\n", "python"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    await syntax.aclose()
    left = [p for p in descendants(os.getpid()) if p.pid not in before]
    await asyncio.to_thread(assert_all_gone, left)


async def test_nothing_is_left_when_it_closes_in_the_middle_of_a_build(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(1500):
        (root / f"m{number}.py").write_text("def function(a):\n    return a\n" * 40)
    before = {process.pid for process in descendants(os.getpid())}
    worker = ContextWorker(root, tmp_path / "home")
    await worker.start()
    await worker.status()
    await asyncio.sleep(0.3)
    started = [p for p in descendants(os.getpid()) if p.pid not in before]
    await worker.aclose()
    await asyncio.to_thread(assert_all_gone, started)
