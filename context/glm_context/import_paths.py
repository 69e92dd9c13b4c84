"""Imports resolved to files of the workspace, by names alone: nothing is run, no path is read.

A module's words have to be the end of a file's path: `a.b.c` fits `src/a/b/c.py` and
`a/b/c/__init__.py`. Relative imports start at the importing file's folder.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Protocol

from glm_context.index_store import FOLDER_STEMS
from glm_context.syntax_facts import ImportName

MAX_PATHS = 24
_SEPARATORS = re.compile(r"::|[./\\]+")
_HERE = frozenset({"crate", "self", "super", "@", "~", "src", ""})
_EXTENSION = re.compile(r"\.(?:js|jsx|ts|tsx|mjs|h|hh|hpp|c|cc|cpp|py|rb|php|sh|bash|css|html)$")


class PathIndex(Protocol):
    """What has to be known of the workspace's files."""

    def files_with_stem(self, stem: str) -> list[str]: ...


def resolve(imports: Iterable[ImportName], path: str, index: PathIndex) -> dict[str, set[str]]:
    """Workspace paths that the imports of the file `path` mean, with the names taken from each."""
    found: dict[str, set[str]] = {}
    for each in imports:
        for target in targets(each, path, index):
            found.setdefault(target, set()).update(each.names)
            if len(found) >= MAX_PATHS:
                return found
    return found


def targets(imported: ImportName, path: str, index: PathIndex) -> list[str]:
    """Files that one import may mean, the best fitting ones only."""
    words, relative = words_of(imported.module, path)
    names = [name for name in imported.names if name != "*"]
    wanted = [words] if words else []
    # `from package import module` and `use a::b::{c}` may name files.
    wanted += [[*words, name] for name in names[:8] if [name] != words[-1:]]
    if len(words) > 1 and not relative:
        wanted.append(words[:-1])  # `use a::b::function`
    found: list[str] = []
    for each in wanted:
        if each is wanted[-1] and found and len(each) < len(words):
            break
        best, paths = 0, list[str]()
        for candidate in index.files_with_stem(each[-1]):
            if candidate == path:
                continue
            fit = common_end(each, parts_of(candidate))
            if fit < (len(each) if relative else max(1, len(each) - 1)):
                continue
            if fit > best:
                best, paths = fit, []
            if fit == best:
                paths.append(candidate)
        if len(paths) <= 4:
            found += paths
    return list(dict.fromkeys(found))


def words_of(module: str, path: str) -> tuple[list[str], bool]:
    """The words of a module's path from the workspace's root where it is relative to `path`."""
    folder = posixpath.dirname(path)
    if module.startswith(("./", "../")) or re.match(r"[\w-]+\.(?:h|hh|hpp)$", module):
        joined = posixpath.normpath(posixpath.join(folder, _EXTENSION.sub("", module)))
        return [w for w in joined.split("/") if w not in ("", ".", "..")], module.startswith(".")
    if module.startswith("."):  # Python
        dots = len(module) - len(module.lstrip("."))
        base = folder.split("/") if folder else []
        base = base[: len(base) - (dots - 1)] if dots > 1 else base
        return [*base, *(w for w in module.lstrip(".").split(".") if w)], True
    plain = _EXTENSION.sub("", module) if "/" in module else module
    return [word for word in _SEPARATORS.split(plain) if word not in _HERE][-6:], False


def parts_of(path: str) -> list[str]:
    pure = PurePosixPath(path)
    folders = list(pure.parent.parts)
    return folders if pure.stem in FOLDER_STEMS else [*folders, pure.stem]


def common_end(a: list[str], b: list[str]) -> int:
    """How many last words are the same."""
    count = 0
    while count < min(len(a), len(b)) and a[-1 - count] == b[-1 - count]:
        count += 1
    return count
