"""A repository as fine-tuning sees it: the files at a cut in time, and the lines added after it.

Read through libgit2 from the object store, so what lies uncommitted in the working tree, and what
changes while we read, does not matter. Without git, or with a single commit, there is no time to
split by: then whole files are held out instead, and the split says so.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pathspec
import pygit2

from glm_context.git_remote import identity_of
from glm_protocol.errors import BadRequest

MAX_FILE_BYTES = 200_000
MOST_FILES = 60_000  # looked at; a repository with more is cut, and the preflight says so
MOST_COMMITS = 20_000
SHARE_AFTER_CUT = 0.15  # of all lines: what the held-out lines should make up
HELD_OUT_FILES = 8  # one file in so many, where there is no time to split by
SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", "node_modules", ".venv", "__pycache__"})


class Split(StrEnum):
    """How held-out text was chosen."""

    TIME = "lines added after the cut"
    FILES = "whole files, by a hash of their paths"


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """One file's bytes; None where it was not read, with the reason in `why`."""

    path: str
    raw: bytes | None
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """`train` at the cut; `held_out` as it is now, with the numbers of its new lines (from 0),
    None for a file that is held out whole."""

    root: Path
    remote: str
    commit: str  # of now; "" without git
    cut: str  # of the cut; "" without a time split
    split: Split
    train: tuple[Blob, ...]
    held_out: tuple[tuple[Blob, frozenset[int] | None], ...]
    notes: tuple[str, ...] = ()


def read_repository(root: Path, *, since: str | None = None) -> Snapshot:
    """Raises BadRequest for what is no folder, or for a revision that is not there."""
    if not root.is_dir():
        raise BadRequest(f"There is no folder {root}.", remedy="Name a repository's folder.")
    repository = _open(root)
    if repository is None or repository.head_is_unborn:
        if since is not None:
            raise BadRequest(f"{root} has no commits, so --since {since} means nothing.")
        return _plain_folder(root, identity=identity_of(root), notes=("no git: split by files",))
    head = repository.head.peel(pygit2.Commit)
    cut = _since(repository, since) if since else _choose_cut(repository, head)
    identity = identity_of(root)
    if cut is None:
        note = "a single commit: split by files"
        return _by_files(root, identity, _tree_blobs(head), str(head.id), (note,))
    added = _added_lines(repository, cut, head)
    held = tuple((blob, added[blob.path]) for blob in _tree_blobs(head) if blob.path in added)
    return Snapshot(
        root=root,
        remote=identity,
        commit=str(head.id),
        cut=str(cut.id),
        split=Split.TIME,
        train=tuple(_tree_blobs(cut)),
        held_out=held,
    )


def is_linguist_generated(root: Path, paths: list[str]) -> frozenset[str]:
    """Paths that .gitattributes marks as generated or vendored."""
    repository = _open(root)
    if repository is None:
        return frozenset()
    marks = ("linguist-generated", "linguist-vendored")
    return frozenset(
        path for path in paths if any(repository.get_attr(path, mark) is True for mark in marks)
    )


def _open(root: Path) -> Any:
    try:
        return pygit2.Repository(str(root), pygit2.enums.RepositoryOpenFlag.NO_SEARCH)
    except pygit2.GitError as error:
        if (root / ".git").exists():
            raise BadRequest(
                f"The repository {root} cannot be read ({error}).",
                remedy="Check who owns it, and `git -C REPO fsck`.",
            ) from error
        return None


def _since(repository: Any, revision: str) -> Any:
    try:
        return repository.revparse_single(revision).peel(pygit2.Commit)
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise BadRequest(f"The repository has no revision {revision!r}.") from error


def _choose_cut(repository: Any, head: Any) -> Any:
    """The newest commit of the first-parent line after which enough lines were added.

    Commits are searched by halves: the share of lines that came after one falls, in the main,
    with its date. None for a single commit.
    """
    commits: list[Any] = []
    commit = head
    while commit.parents and len(commits) < MOST_COMMITS:
        commit = commit.parents[0]
        commits.append(commit)
    if not commits:
        return None
    total = sum(blob.raw.count(b"\n") for blob in _tree_blobs(head) if blob.raw)
    wanted = SHARE_AFTER_CUT * max(total, 1)
    low, high = 0, len(commits) - 1  # the answer lies in [low, high]; high if none is enough
    while low < high:
        middle = (low + high) // 2
        added = sum(map(len, _added_lines(repository, commits[middle], head).values()))
        low, high = (low, middle) if added >= wanted else (middle + 1, high)
    return commits[low]


def _added_lines(repository: Any, old: Any, new: Any) -> dict[str, frozenset[int]]:
    """Numbers of the lines, from 0, that `new` has and `old` had not; renames are no news."""
    diff = repository.diff(
        old, new, context_lines=0, flags=pygit2.enums.DiffOption.IGNORE_WHITESPACE
    )
    diff.find_similar()
    found: dict[str, frozenset[int]] = {}
    for patch in diff:
        if patch is None or patch.delta.is_binary:
            continue
        lines = {
            hunk.new_start - 1 + number for hunk in patch.hunks for number in range(hunk.new_lines)
        }
        if lines:
            found[patch.delta.new_file.path] = frozenset(lines)
    return found


def _tree_blobs(commit: Any) -> Iterator[Blob]:
    """Regular files of a commit; links and submodules are none."""
    stack, count = [("", commit.tree)], 0
    while stack:
        folder, tree = stack.pop()
        for entry in tree:
            path = f"{folder}{entry.name}"
            if entry.filemode == pygit2.enums.FileMode.TREE:
                stack.append((f"{path}/", entry))
            elif entry.filemode in (
                pygit2.enums.FileMode.BLOB,
                pygit2.enums.FileMode.BLOB_EXECUTABLE,
            ):
                count += 1
                if count > MOST_FILES:
                    return
                if entry.size > MAX_FILE_BYTES:
                    yield Blob(path=path, raw=None, why="too big")
                else:
                    yield Blob(path=path, raw=entry.data)


def _plain_folder(root: Path, *, identity: str, notes: tuple[str, ...]) -> Snapshot:
    return _by_files(root, identity, _disk_blobs(root), "", notes)


def _by_files(
    root: Path, identity: str, blobs: Iterator[Blob], commit: str, notes: tuple[str, ...]
) -> Snapshot:
    order = sorted(blobs, key=lambda blob: hashlib.sha256(blob.path.encode()).digest())
    count = -(-len(order) // HELD_OUT_FILES) if len(order) > 1 else 0
    held = [(blob, None) for blob in sorted(order[:count], key=lambda blob: blob.path)]
    train = sorted(order[count:], key=lambda blob: blob.path)
    return Snapshot(
        root=root,
        remote=identity,
        commit=commit,
        cut="",
        split=Split.FILES,
        train=tuple(train),
        held_out=tuple(held),
        notes=notes,
    )


def _disk_blobs(root: Path) -> Iterator[Blob]:
    """Files that .gitignore at the top does not name, in the order of their paths."""
    ignore_file = root / ".gitignore"
    lines = ignore_file.read_text("utf-8", "replace").splitlines() if ignore_file.is_file() else []
    ignored = pathspec.GitIgnoreSpec.from_lines(lines)
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for name in sorted(names):
            file = Path(folder) / name
            path = file.relative_to(root).as_posix()
            if file.is_symlink() or not file.is_file() or ignored.match_file(path):
                continue
            count += 1
            if count > MOST_FILES:
                return
            yield _read(file, path)


def _read(file: Path, path: str) -> Blob:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            return Blob(path=path, raw=None, why="too big")
        return Blob(path=path, raw=file.read_bytes())
    except OSError:  # deleted or made unreadable while we read
        return Blob(path=path, raw=None, why="unreadable")
