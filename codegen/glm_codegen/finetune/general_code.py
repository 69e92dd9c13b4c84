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
MOST_REPLAYED = 80  # of them, by a hash of their paths: one row in ten needs no more


def general_files() -> tuple[tuple[SourceFile, ...], tuple[SourceFile, ...]]:
    """(files to replay, files to ask about)."""
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
    replayed.sort(key=lambda file: hashlib.sha256(file.path.encode()).digest())
    return tuple(replayed[:MOST_REPLAYED]), tuple(asked)
