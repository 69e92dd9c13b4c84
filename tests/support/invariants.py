"""Checks that must hold after every fault, whichever unit was tested (I5, I8).

I5: no process of ours is left. I8: no text of the user's in any file of ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import psutil  # type: ignore[import-untyped]


def descendants(pid: int) -> list[psutil.Process]:
    """A process and all its children, to be asked for later. Empty when it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def assert_all_gone(processes: Iterable[psutil.Process], *, within: float = 10.0) -> None:
    """I5. A process id that was given to another process since counts as gone."""
    give_up = time.monotonic() + within
    left = list(processes)
    while True:
        left = [process for process in left if _is_alive(process)]
        if not left or time.monotonic() > give_up:
            break
        time.sleep(0.02)
    assert not left, f"processes left after {within} s: {left}"


def assert_no_canary(folder: Path, canaries: Iterable[str]) -> int:
    """I8. No file below `folder` holds one of the canaries; returns the bytes looked at."""
    words = [canary.encode("utf-8") for canary in canaries]
    looked_at = 0
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.is_symlink():
            continue
        content = file.read_bytes()
        looked_at += len(content)
        for word in words:
            assert word not in content, f"{file.name} holds a canary"
    return looked_at


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
