"""Walks and reads a workspace: ignore files honoured, no link followed, nothing huge, no secret.

Every step goes by the descriptor of its folder with O_NOFOLLOW, so that a link put in the way
leads nowhere. Not here: what is done with a text.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from glm_context.ignore_rules import KINDS, MAX_FILE, IgnoreStack
from glm_context.secret_files import is_secret_file
from glm_protocol.languages import language_id

MAX_BYTES = 400_000  # of a file that is read
MAX_FILES = 50_000
MAX_DEPTH = 32
SKIPPED_FOLDERS = frozenset(
    {
        *(".git", ".hg", ".svn", "node_modules", "bower_components", "__pycache__", ".venv"),
        *("venv", ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".gradle"),
        *(".terraform", ".next", ".nuxt", "Pods", ".hypothesis", "site-packages"),
    }
)
# No code to learn from, or mostly data.
SKIPPED_LANGUAGES = frozenset({"plaintext", "json", "jsonc", "markdown", "latex"})
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundFile:
    """A file that may be read. `path` is relative to the root, with slashes."""

    path: str
    language: str
    size: int
    mtime_ns: int


class WorkspaceFiles:
    """One root folder. `excludes` are patterns of the settings, in git's syntax."""

    def __init__(self, root: Path, excludes: Iterable[str] = ()) -> None:
        self.root = root
        self._top = IgnoreStack().inside(0, [("settings", "\n".join(excludes))])

    def walk(self) -> Iterator[FoundFile]:
        """Files with code in them, folder by folder, sorted; at most 50,000."""
        try:
            fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return
        yield from itertools.islice(self._walk(fd, (), self._top), MAX_FILES)

    def _walk(self, fd: int, parts: tuple[str, ...], stack: IgnoreStack) -> Iterator[FoundFile]:
        try:
            stack = self._with_ignore_files(fd, parts, stack)
            with os.scandir(fd) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
            folders = []
            for entry in listed:
                path = (*parts, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED_FOLDERS and len(parts) < MAX_DEPTH:
                        folders.append(path)
                    continue
                found = self._file(entry, path)
                if found is not None and not stack.ignores(path, is_folder=False):
                    yield found
            for path in folders:
                if stack.ignores(path, is_folder=True):
                    continue
                with contextlib.suppress(OSError):
                    below = os.open(path[-1], _FLAGS | os.O_DIRECTORY, dir_fd=fd)
                    yield from self._walk(below, path, stack)
        except OSError:
            return
        finally:
            os.close(fd)

    def _file(self, entry: os.DirEntry[str], path: tuple[str, ...]) -> FoundFile | None:
        language = language_id(entry.name)
        if language in SKIPPED_LANGUAGES or not entry.is_file(follow_symlinks=False):
            return None
        shown = "/".join(path)
        if is_secret_file(shown) or not printable(shown):
            return None
        found = entry.stat(follow_symlinks=False)
        if not 0 < found.st_size <= MAX_BYTES:
            return None
        return FoundFile(
            path=shown, language=language, size=found.st_size, mtime_ns=found.st_mtime_ns
        )

    def find(self, path: str) -> FoundFile | None:
        """The file of one relative path, if it would be found by `walk`."""
        parts = tuple(path.split("/"))
        if not path or any(p in ("", ".", "..") or p in SKIPPED_FOLDERS for p in parts):
            return None
        if len(parts) > MAX_DEPTH or not printable(path):
            return None
        language = language_id(parts[-1])
        if language in SKIPPED_LANGUAGES or is_secret_file(path):
            return None
        stack, fds = self._top, []
        try:
            fds.append(os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for depth in range(len(parts)):
                stack = self._with_ignore_files(fds[-1], parts[:depth], stack)
                if stack.ignores(parts[: depth + 1], is_folder=depth < len(parts) - 1):
                    return None
                if depth < len(parts) - 1:
                    fds.append(os.open(parts[depth], _FLAGS | os.O_DIRECTORY, dir_fd=fds[-1]))
            found = os.stat(parts[-1], dir_fd=fds[-1], follow_symlinks=False)
        except (OSError, ValueError):
            return None
        finally:
            for fd in fds:
                os.close(fd)
        if not stat.S_ISREG(found.st_mode) or not 0 < found.st_size <= MAX_BYTES:
            return None
        return FoundFile(
            path=path, language=language, size=found.st_size, mtime_ns=found.st_mtime_ns
        )

    def read(self, path: str) -> str | None:
        """The text of a relative path; None where it is no readable text. Follows no link.

        Only for paths that `walk` or `find` gave.
        """
        parts = path.split("/")
        if any(part in ("", ".", "..") for part in parts):
            return None
        fds: list[int] = []
        try:
            fds.append(os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for part in parts[:-1]:
                fds.append(os.open(part, _FLAGS | os.O_DIRECTORY, dir_fd=fds[-1]))
            data = read_regular(parts[-1], fds[-1], MAX_BYTES)
        except (OSError, ValueError):
            return None
        finally:
            for fd in fds:
                os.close(fd)
        if data is None or b"\0" in data:
            return None
        return data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")

    def _with_ignore_files(
        self, fd: int, parts: tuple[str, ...], stack: IgnoreStack
    ) -> IgnoreStack:
        texts = []
        for kind in KINDS:
            data = read_regular(kind, fd, MAX_FILE)
            if data is not None:
                texts.append((kind, data.decode("utf-8", "surrogateescape")))
        if not parts:
            with contextlib.suppress(OSError):
                info = os.open(".git/info", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
                try:
                    data = read_regular("exclude", info, MAX_FILE)
                finally:
                    os.close(info)
                if data is not None:
                    texts.insert(0, ("exclude", data.decode("utf-8", "surrogateescape")))
        return stack.inside(len(parts), texts)


def read_regular(name: str, folder: int, most: int) -> bytes | None:
    """Bytes of a regular file of at most `most` bytes in an open folder; None where it is not."""
    try:
        fd = os.open(name, _FLAGS, dir_fd=folder)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            return None
        data = os.read(fd, most + 1)
        while len(data) < found.st_size and (more := os.read(fd, most + 1 - len(data))):
            data += more
        return data if len(data) <= most else None
    except OSError:
        return None
    finally:
        os.close(fd)


def printable(path: str) -> bool:
    """A path that can be shown and stored: no line ends, no undecodable bytes."""
    return path.isprintable() and len(path) <= 1000


def is_minified(text: str) -> bool:
    """Lines that nobody wrote: one over 5,000 characters, or 300 on average."""
    lines = text.count("\n") + 1
    return len(text) / lines > 300 or any(len(line) > 5000 for line in text.split("\n"))
