"""Which repository a folder is: its remote's address in one spelling, or a hash of its path.

Read from `.git/config` alone, bounded; no process is started, nothing of the folder is trusted:
the answer is only ever compared with what an adapter was made from.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

MAX_CONFIG = 1 << 20  # bytes
_SECTION = re.compile(r'\[\s*remote\s+"([^"]{1,200})"\s*\]')
_URL = re.compile(r"\s*url\s*=\s*(\S.{0,2000})")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def identity_of(folder: Path) -> str:
    """`host/owner/name` of the remote (origin before others); `local_name` without one."""
    try:
        text = _config_of(folder)
    except (OSError, ValueError):
        text = ""
    urls: dict[str, str] = {}
    remote: str | None = None
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            match = _SECTION.match(line.strip())
            remote = match[1] if match else None
        elif remote is not None and (match := _URL.match(line)):
            urls.setdefault(remote, match[1].strip().strip('"'))
    url = urls.get("origin") or next(iter(urls.values()), "")
    return normal_remote(url) or local_name(folder)


def local_name(folder: Path) -> str:
    """Of a folder without a remote: its path's hash, since a daemon may be a team's."""
    path = str(folder.resolve())
    return "local/" + hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def normal_remote(url: str) -> str:
    """`host/owner/name` of a remote's address, however it is spelled; "" for none.

    User, password, port and the ending `.git` are dropped: a token in an address must not reach
    a manifest.
    """
    url = url.strip()
    if _SCHEME.match(url):
        rest = url.split("://", 1)[1]
        if url.startswith("file:"):
            return rest.rstrip("/").removesuffix(".git")
        host, _, path = rest.partition("/")
        host = host.rpartition("@")[2].partition(":")[0]
    elif re.match(r"[^/]+:", url):  # user@host:path
        host, _, path = url.partition(":")
        host = host.rpartition("@")[2]
    else:
        return url.rstrip("/").removesuffix(".git")
    return f"{host.lower()}/{path.strip('/').removesuffix('.git')}"


def _config_of(folder: Path) -> str:
    """Text of the repository's config; a worktree's `.git` is a file that points elsewhere."""
    place = folder / ".git"
    if place.is_file():
        pointed = place.read_text("utf-8", "replace")[:4096].removeprefix("gitdir:").strip()
        place = (folder / pointed).resolve()
        common = place / "commondir"
        if common.is_file():
            place = (place / common.read_text("utf-8", "replace")[:4096].strip()).resolve()
    with (place / "config").open("rb") as stream:
        return stream.read(MAX_CONFIG).decode("utf-8", "replace")
