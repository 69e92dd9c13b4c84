"""Code that everybody has: Python's own library. Replayed against forgetting, and asked about.

It is on every machine that runs this, offline, and its licence is known; what it cannot show is
how other languages fare. Files to replay and files to ask about are never the same ones.
"""

from __future__ import annotations

import hashlib
import sysconfig
from pathlib import Path

from glm_codegen.finetune.file_filter import SourceFile, judge
from glm_codegen.finetune.repository import MAX_FILE_BYTES, Blob

PACKAGES = (
    *("", "asyncio", "collections", "concurrent/futures", "email", "http", "importlib", "json"),
    *("logging", "multiprocessing", "sqlite3", "unittest", "urllib", "xml/etree"),
)
ASKED_SHARE = 4  # one file in so many is asked about


def general_files() -> tuple[tuple[SourceFile, ...], tuple[SourceFile, ...]]:
    """(files to replay, files to ask about), both in the order of their paths."""
    root = Path(sysconfig.get_paths()["stdlib"])
    replayed, asked = list[SourceFile](), list[SourceFile]()
    for package in PACKAGES:
        for file in sorted((root / package).glob("*.py")):
            if file.stat().st_size > MAX_FILE_BYTES:
                continue
            path = file.relative_to(root).as_posix()
            found = judge(Blob(path=path, raw=file.read_bytes()))
            if isinstance(found, SourceFile):
                chosen = int(hashlib.sha256(path.encode()).hexdigest(), 16) % ASKED_SHARE == 0
                (asked if chosen else replayed).append(found)
    return tuple(replayed), tuple(asked)
