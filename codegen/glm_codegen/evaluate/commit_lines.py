"""Lines that commits of a git repository added, each with the file as it was being written.

The file before the commit, the commit's own earlier hunks applied, is what the editor showed; the
added lines are what a person typed next.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glm_context.grammar_table import GRAMMAR_OF
from glm_protocol.errors import BadRequest
from glm_protocol.languages import language_id

LONGEST_RUN = 12  # added lines of one place
LONGEST_LINE = 120
GIT_S = 60
_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True, kw_only=True, slots=True)
class TypedRun:
    """`before` and `after` surround the place; `lines` were typed there, one after the other."""

    commit: str
    path: str
    language: str
    before: str
    lines: tuple[str, ...]
    after: str


def typed_runs(root: Path, *, since: str, most_commits: int) -> Iterator[TypedRun]:
    """Runs of added lines, newest commit first. Raises BadRequest where git gives no history."""
    listed = git(root, "rev-list", "--no-merges", f"--since={since}", f"-n{most_commits}", "HEAD")
    for commit in listed.split():
        changed = git(root, "diff-tree", "-r", "--root", "--name-only", "--no-commit-id", commit)
        for path in changed.splitlines():
            if language_id(path) in GRAMMAR_OF:
                yield from runs_of(root, commit, path)


def runs_of(root: Path, commit: str, path: str) -> Iterator[TypedRun]:
    """The runs of one file of one commit."""
    diff = git(root, "show", "--format=", "--unified=0", "--no-renames", commit, "--", path)
    now = git(root, "show", f"{commit}:{path}", missing="").split("\n")
    old = git(root, "show", f"{commit}^:{path}", missing="").split("\n")
    for line in diff.splitlines():
        found = _HUNK.match(line)
        if found is None:
            continue
        start, removed = int(found[1]), int(found[2] or 1)
        first, count = int(found[3]), int(found[4] or 1)
        lines = tuple(now[first - 1 : first - 1 + count][:LONGEST_RUN])
        if count == 0 or any(len(one) > LONGEST_LINE for one in lines):
            continue
        below = start + removed - 1 if removed else start
        yield TypedRun(
            commit=commit,
            path=path,
            language=language_id(path),
            before="".join(one + "\n" for one in now[: first - 1]),
            lines=lines,
            after="\n" + "\n".join(old[below:]),
        )


def git(root: Path, *words: str, missing: str | None = None) -> str:
    """What git says; `missing` where it fails, else BadRequest."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "-c", "core.quotePath=off", *words],
            capture_output=True,
            timeout=GIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        if missing is not None:
            return missing
        raise BadRequest(
            f"git gives no history of {root}.", remedy="Name a folder with a git repository."
        ) from error
    return done.stdout.decode("utf-8", "replace")
