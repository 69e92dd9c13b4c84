"""Builds and renews the index of a workspace: `python -P -m glm_context.index_build`.

Runs to its end in a process of its own, at low priority; progress goes to stdout, one JSON object
a line. Whoever holds the folder's lock builds; a second builder leaves it to the first.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from glm_context.index_chunks import cut
from glm_context.index_folder import IndexFolder, index_folder, prune
from glm_context.index_store import IndexStore
from glm_context.secret_rules import redact
from glm_context.workspace_files import FoundFile, WorkspaceFiles, is_minified

BATCH = 200  # files a transaction
MAX_SOURCE = 300 << 20  # bytes of source in one index


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildProgress:
    """How far a build is. `read` counts bytes of source taken in by this build."""

    done: int
    files: int
    read: int = 0
    withheld: int = 0
    finished: bool = False


Report = Callable[[BuildProgress], None]


def build(
    root: Path,
    folder: IndexFolder,
    *,
    excludes: Sequence[str] = (),
    report: Report = lambda _: None,
) -> BuildProgress | None:
    """Bring the whole index up to date. None where another process is at it.

    Raises sqlite3.Error and OSError where the index cannot be written.
    """
    with building(folder) as mine:
        if not mine:
            return None
        folder.note(root)
        prune(folder.path.parent.parent, folder.path, now=time.time())
        files = WorkspaceFiles(root, excludes)
        try:
            progress = renew(folder, files, report)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # torn: it is a cache, so begin anew
            folder.discard()
            progress = renew(folder, files, report)
    report(progress)
    return progress


def renew(folder: IndexFolder, files: WorkspaceFiles, report: Report) -> BuildProgress:
    """Compare the workspace with the index and take in what differs."""
    store = IndexStore(folder.file, write=True)
    try:
        listed = bounded(files.walk())
        known = store.known()
        changed = [f for f in listed if not same(known.get(f.path), f)]
        gone = known.keys() - {f.path for f in listed}
        progress = take_in(store, files, changed, gone, report)
        if changed or gone or not store.whole:
            store.finish()
    finally:
        store.close()
    return replace(progress, done=len(listed), files=len(listed), finished=True)


def update(
    root: Path, folder: IndexFolder, paths: Iterable[str], *, excludes: Sequence[str] = ()
) -> bool:
    """Look again at some paths, new, changed or gone. False where another process is building."""
    with building(folder) as mine:
        if not mine:
            return False
        files = WorkspaceFiles(root, excludes)
        store = IndexStore(folder.file, write=True)
        try:
            found = {path: files.find(path) for path in dict.fromkeys(paths)}
            present = [f for f in found.values() if f is not None]
            gone = [path for path, f in found.items() if f is None]
            take_in(store, files, present, gone, lambda _: None)
        finally:
            store.close()
    return True


def take_in(
    store: IndexStore,
    files: WorkspaceFiles,
    changed: Sequence[FoundFile],
    gone: Iterable[str],
    report: Report,
) -> BuildProgress:
    """Write what changed, some files a transaction, so that readers see it grow."""
    read = withheld = 0
    try:
        store.begin()
        for path in gone:
            store.remove(path)
        store.commit()
        for start in range(0, len(changed), BATCH):
            store.begin()
            for found in changed[start : start + BATCH]:
                text = files.read(found.path)
                clean, kinds = ("", ()) if text is None else prepared(text, found.language)
                chunks, symbols = cut(clean) if clean else ([], [])
                store.put(found, chunks, symbols, withheld=len(kinds))
                read += found.size
                withheld += len(kinds)
            store.commit()
            done = min(start + BATCH, len(changed))
            report(BuildProgress(done=done, files=len(changed), read=read, withheld=withheld))
    except sqlite3.OperationalError as error:
        store.rollback()
        if "full" not in str(error):
            raise
    return BuildProgress(done=len(changed), files=len(changed), read=read, withheld=withheld)


def prepared(text: str, language: str) -> tuple[str, tuple[str, ...]]:
    """The text without its secrets; nothing of a minified file."""
    return ("", ()) if is_minified(text) else redact(text, language)


def bounded(found: Iterable[FoundFile]) -> list[FoundFile]:
    """As many files as fit into the bound on source."""
    kept, total = [], 0
    for each in found:
        total += each.size
        if total > MAX_SOURCE:
            break
        kept.append(each)
    return kept


def same(known: object, found: FoundFile) -> bool:
    size, mtime = getattr(known, "size", -1), getattr(known, "mtime_ns", -1)
    return bool(size == found.size and mtime == found.mtime_ns)


@contextlib.contextmanager
def building(folder: IndexFolder) -> Iterator[bool]:
    """True while this process alone may write the index."""
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
    finally:
        os.close(fd)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="glm_context.index_build", description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--exclude", action="append", default=[])
    parser.add_argument("--paths", action="store_true", help="changed paths, one a line, on stdin")
    options = parser.parse_args(argv)
    with contextlib.suppress(OSError):
        os.nice(10)
    folder = index_folder(options.home, options.root)
    last = 0.0

    def report(progress: BuildProgress) -> None:
        nonlocal last
        if progress.finished or time.monotonic() - last > 0.3:
            last = time.monotonic()
            print(json.dumps(asdict(progress)), flush=True)

    try:
        if options.paths:
            paths = [line.rstrip("\n") for line in sys.stdin]
            done = update(options.root, folder, paths, excludes=options.exclude)
        else:
            done = build(options.root, folder, excludes=options.exclude, report=report) is not None
    except (OSError, sqlite3.Error) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        return 1
    return 0 if done else 3


if __name__ == "__main__":
    sys.exit(main())
