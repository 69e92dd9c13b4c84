"""How much memory a model may still take. No torch here: commands and advice ask too."""

from __future__ import annotations

from pathlib import Path

import psutil  # type: ignore[import-untyped]

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_CGROUP_USED = Path("/sys/fs/cgroup/memory.current")


def free_cpu_bytes() -> int:
    """Memory that can be had without swapping, within the container's limit if there is one."""
    free = int(psutil.virtual_memory().available)
    try:
        return min(free, int(_CGROUP_LIMIT.read_text()) - int(_CGROUP_USED.read_text()))
    except (OSError, ValueError):  # no cgroup v2, or its limit is the word "max"
        return free
