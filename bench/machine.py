"""What machine a benchmark ran on, for the head of its table."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def describe() -> dict[str, str]:
    """Plain words and numbers; load is the 1-minute average at the start."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": f"{cpu_name()}, {os.cpu_count()} cores",
        "load": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }


def machine_line() -> str:
    """The same on one line, for the head of a report."""
    return "; ".join(f"{key} {value}" for key, value in describe().items())
