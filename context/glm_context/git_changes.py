"""What changed since the last commit, asked of git without letting the repository run anything.

A repository's own configuration can name programs (fsmonitor, filters, external diffs, signature
checks). So only plumbing is called, with these turned off: names by `diff-index`, which compares
nothing, and the old text by `cat-file`, which filters nothing. The difference is made here.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from glm_context.workspace_files import WorkspaceFiles

GIT_S = 2.0
MAX_FILES = 8
MAX_LINES = 40  # of a hunk
MAX_TEXT = 120_000  # characters of a file that is compared
_SAFE = (
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "diff.external="),
    *("-c", "protocol.allow=never", "-c", "core.untrackedCache=false", "--no-pager"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedLines:
    """New lines of a file, as they are now, with two lines around them."""

    path: str
    language: str
    first_line: int
    text: str


def git(root: Path, *arguments: str) -> bytes | None:
    """Output of a git command; None where it fails, is late, or there is no git."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("GIT_")
    } | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
    try:
        done = subprocess.run(
            ("git", *_SAFE, *arguments),
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def changed_lines(root: Path, files: WorkspaceFiles) -> list[ChangedLines]:
    """Changes of the most recently written files, newest first. Blocks; bounded in time."""
    top = git(root, "rev-parse", "--show-prefix")
    listed = git(root, "diff-index", "--name-only", "-z", "--relative", "HEAD", "--")
    if top is None or listed is None:
        return []
    found = [files.find(os.fsdecode(name)) for name in listed.split(b"\0")[:500] if name]
    newest = sorted((f for f in found if f), key=lambda f: -f.mtime_ns)[:MAX_FILES]
    changes: list[ChangedLines] = []
    prefix = os.fsdecode(top).rstrip("\n")
    for each in newest:
        before = git(root, "cat-file", "blob", f"HEAD:{prefix}{each.path}")
        now = files.read(each.path)
        if now is None or len(now) > MAX_TEXT or (before is not None and len(before) > MAX_TEXT):
            continue
        old = (before or b"").decode("utf-8", "replace").replace("\r\n", "\n")
        changes += hunks(each.path, each.language, old, now)
    return changes[: 2 * MAX_FILES]


def hunks(path: str, language: str, old: str, new: str) -> list[ChangedLines]:
    """The runs of new lines."""
    import difflib  # here: the language server imports this file, and seldom asks

    before, after = old.split("\n"), new.split("\n")
    found = []
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=True)
    for group in matcher.get_grouped_opcodes(2):
        if all(tag in ("equal", "delete") for tag, *_ in group):
            continue
        first, last = group[0][3], min(group[-1][4], group[0][3] + MAX_LINES)
        text = "\n".join(after[first:last])
        if text.strip():
            found.append(ChangedLines(path=path, language=language, first_line=first, text=text))
    return found[:4]
