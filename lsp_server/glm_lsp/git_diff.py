"""The uncommitted change of one file, as git tells it. Nothing of the repository is executed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from glm_protocol.errors import BadRequest

# A repository's own configuration may name programs; none of them is for us to run.
_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.pager=cat", "-c", "core.hooksPath=/dev/null")
_TIMEOUT_S = 10.0


def diff_of(path: Path) -> str:
    """The change since the last commit. Raises BadRequest where there is none to be told."""
    command = ["git", *_QUIET, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--"]
    try:
        done = subprocess.run(
            [*command, path.name],
            cwd=path.parent,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadRequest(
            f"git does not tell what changed ({type(error).__name__}).", remedy="Install git."
        ) from error
    if done.returncode != 0:
        raise BadRequest(
            f"git does not tell what changed in {path.name}.",
            remedy="Review works on a file of a git repository with at least one commit.",
        )
    text = done.stdout.decode("utf-8", "replace")
    if not text.strip():
        raise BadRequest(f"{path.name} has not changed since the last commit.", remedy="")
    return text
