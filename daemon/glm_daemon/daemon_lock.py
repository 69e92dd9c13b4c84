"""The lock that makes one daemon a user: flock decides, the pid in the file only informs.

The kernel drops the lock with its holder, so a stale file or a recycled pid means nothing.
The file itself is never removed: two daemons could then hold locks on two files.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType

from glm_daemon.runtime_folder import UnsafeSetup


class AlreadyRunning(Exception):
    """Another process holds the lock; `pid` is what it wrote, 0 when that cannot be read."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"a daemon is already running (pid {pid})")
        self.pid = pid


class DaemonLock:
    """Held from construction until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        """Raises AlreadyRunning at once when it is held, UnsafeSetup when it cannot be had."""
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UnsafeSetup(f"The lock {path} cannot be opened ({error.strerror}).") from error
        try:
            self._take(path)
        except BaseException:
            os.close(self._fd)
            raise

    def _take(self, path: Path) -> None:
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise UnsafeSetup(f"The lock {path} is not a file of yours. Remove it.")
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(self._holder()) from None
        except OSError as error:  # ENOLCK on some network file systems
            raise UnsafeSetup(
                f"{path} cannot be locked ({error.strerror})."
                " Set GLM_LSP_RUNTIME to a folder of yours on a local disk."
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def _holder(self) -> int:
        text = os.pread(self._fd, 32, 0).strip()
        return int(text) if text.isdigit() else 0

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> DaemonLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
