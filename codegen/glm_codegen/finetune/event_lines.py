"""Events of a run as JSON lines, each appended at once. No torch here."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def append_event(file: Path, kind: str, words: Mapping[str, Any]) -> None:
    """A full disk costs the line, not the run."""
    line = json.dumps({"kind": kind, "at": round(time.time(), 3), **words}, default=str) + "\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        with os.fdopen(os.open(file, flags, 0o600), "w") as stream:
            stream.write(line)
    except OSError:
        return
