"""Files and lines that an error names, found in the workspace. Names come from strangers' pictures.

A name is only ever compared with the names of files that are there: nothing outside of the root is
looked at, and no link is followed. The walk is bounded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

MOST_ENTRIES = 50_000
MOST_BYTES = 1 << 20  # of a file whose line is shown
_SKIPPED = frozenset(
    {".git", ".hg", ".svn", "node_modules", ".venv", "venv", "__pycache__", "dist", "target"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedPlace:
    """`path` is absolute, "" where no file of the workspace has the name; `text` is the line."""

    file: str
    line: int
    path: str = ""
    text: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_places(root: Path, named: Sequence[Mapping[str, Any]]) -> list[NamedPlace]:
    """Each place with the file of the workspace that it means, if there is one."""
    wanted = [(str(place.get("file", "")), int(place.get("line", 0))) for place in named]
    files = list(_files(root)) if wanted else []
    return [_find(root, files, file, line) for file, line in wanted]


def _find(root: Path, files: list[Path], file: str, line: int) -> NamedPlace:
    parts = [
        part
        for part in PurePosixPath(file.replace("\\", "/")).parts
        if part not in ("/", ".", "..")
    ]
    best, shared = None, 0
    for candidate in files:
        if not parts or candidate.name.lower() != parts[-1].lower():
            continue
        ours = candidate.relative_to(root).parts
        same = 0
        for a, b in zip(reversed(ours), reversed(parts), strict=False):
            if a.lower() != b.lower():
                break
            same += 1
        if same > shared:
            best, shared = candidate, same
    if best is None:
        return NamedPlace(file=file, line=line)
    return NamedPlace(file=file, line=line, path=str(best), text=_line(best, line))


def _line(path: Path, number: int) -> str:
    try:
        with path.open("rb") as stream:
            lines = stream.read(MOST_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return lines[number - 1].strip()[:400] if 0 < number <= len(lines) else ""


def _files(root: Path) -> Iterator[Path]:
    seen = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(names):
            seen += 1
            if seen > MOST_ENTRIES:
                return
            path = Path(folder, name)
            if not path.is_symlink():
                yield path
