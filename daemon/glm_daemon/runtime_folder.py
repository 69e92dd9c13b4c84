"""The folder of socket, lock and log: ours, 0700, or we refuse to start.

Invariant: no fallback to a folder that others can write (reliability T-16).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from glm_protocol.folders import MAX_SOCKET_PATH, Folders


class UnsafeSetup(Exception):
    """The set-up makes a safe start impossible; the message says what to do."""


def make_private_folder(path: Path) -> None:
    """Create `path` as 0700, or check that it is a folder of ours that only we can enter.

    Raises UnsafeSetup. A folder of ours that others may only read is tightened.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise UnsafeSetup(
            f"The runtime folder {path} cannot be made ({error.strerror})."
            " Set GLM_LSP_RUNTIME to a folder of yours on a local disk."
        ) from error
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeSetup(f"{path} is not a folder. Remove it, or set GLM_LSP_RUNTIME.")
    if found.st_uid != os.geteuid():
        raise UnsafeSetup(f"{path} belongs to another user. Set GLM_LSP_RUNTIME to one of yours.")
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise UnsafeSetup(f"Others can write to {path}. Look what is in it, then: chmod 700 {path}")
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)


def check_socket_path(folders: Folders) -> None:
    """Raises UnsafeSetup when the kernel would cut the socket's path."""
    length = len(os.fsencode(folders.socket))
    if length > MAX_SOCKET_PATH:
        raise UnsafeSetup(
            f"The socket's path has {length} bytes, at most {MAX_SOCKET_PATH} work."
            " Set GLM_LSP_RUNTIME to a shorter folder of yours."
        )
