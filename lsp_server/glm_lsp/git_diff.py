"""What changed in one file since the last commit, as a diff. Nothing of the repository is executed.

git is asked for the old text alone, by plumbing that filters nothing; the difference is made here,
so an unsaved buffer has one too.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from glm_context.git_changes import git
from glm_protocol.errors import BadRequest

MAX_TEXT = 400_000  # characters that are compared


def diff_of(path: Path, now: str) -> str:
    """Unified diff from the last commit's text to `now`. Raises BadRequest where there is none.

    Line ends count for nothing.
    """
    prefix = git(path.parent, "rev-parse", "--show-prefix") if path.parent.is_dir() else None
    if prefix is None or git(path.parent, "rev-parse", "--verify", "HEAD") is None:
        raise BadRequest(
            f"git does not tell what changed in {path.name}.",
            remedy="Review works on a file of a git repository with at least one commit.",
        )
    name = os.fsdecode(prefix).rstrip("\n") + path.name
    before = git(path.parent, "cat-file", "blob", f"HEAD:{name}") or b""
    old = before.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    now = now.replace("\r\n", "\n").replace("\r", "\n")
    if max(len(old), len(now)) > MAX_TEXT:
        raise BadRequest(f"{path.name} is too large to be compared.", remedy="Select some code.")
    lines = difflib.unified_diff(
        old.split("\n"), now.split("\n"), f"a/{name}", f"b/{name}", lineterm=""
    )
    text = "\n".join(lines)
    if not text:
        raise BadRequest(f"{path.name} has not changed since the last commit.", remedy="")
    return text + "\n"
