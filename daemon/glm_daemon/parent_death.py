"""A worker must not outlive its daemon: it would hold the model's memory for nobody."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
OOM_SCORE = "300"  # the kernel, out of memory, takes the worker before the daemon or the editor


def die_with_parent(parent: int) -> None:
    """Ask Linux for SIGKILL at the parent's death; elsewhere the pipe's end of file must do.

    Exits at once when the parent died before the call.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def offer_to_oom_killer() -> None:
    """Be the first to go when memory runs out. Best effort, Linux only."""
    try:
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    except OSError:
        return
