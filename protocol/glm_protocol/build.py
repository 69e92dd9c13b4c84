"""The build id: tells a daemon of yesterday's code from today's client."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

PACKAGES = (
    *("glm_protocol", "glm_client", "glm_context", "glm_runtime"),
    *("glm_codegen", "glm_vision", "glm_t2i", "glm_daemon", "glm_lsp"),
)


@cache
def package_version() -> str:
    """Version of the installed distribution, or "unknown" in a bare source tree."""
    try:
        return version("glm-lsp")
    except PackageNotFoundError:
        return "unknown"


@cache
def build_id() -> str:
    """Twelve hex digits over every module's path, size and modification time.

    Computed once a process, so it names the code that the process started from.
    """
    digest = hashlib.sha256(package_version().encode())
    for package in PACKAGES:
        spec = find_spec(package)
        for root in spec.submodule_search_locations or () if spec else ():
            for file in sorted(Path(root).rglob("*.py")):
                stat = file.stat()
                line = f"{file.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}\n"
                digest.update(line.encode())
    return digest.hexdigest()[:12]
