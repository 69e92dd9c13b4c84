"""Starts the local daemon, detached, with an environment of ours.

The daemon decides by its own lock that there is one of it. The start lock here only spares the
machine sixteen daemons that start at once and fifteen that leave again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from glm_protocol.errors import DaemonUnreachable
from glm_protocol.folders import Folders

MODULE = "glm_daemon.main"
ALREADY_RUNNING = 3  # its exit code when another one holds the lock
MAX_LOG = 5_000_000  # bytes, then the log is set aside once
KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "TZ", "VIRTUAL_ENV"}
    | {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
)
# Ours, folders, locale, and what the drivers and libraries of the devices read.
KEPT_PREFIXES = (
    *("GLM_", "XDG_", "LC_", "HF_", "TORCH_", "PYTORCH_", "OMP_", "MKL_"),
    *("CUDA_", "NVIDIA_", "HIP_", "ROCR_", "HSA_", "ZE_", "SYCL_", "ONEAPI_", "ASCEND_"),
)
NOT_KEPT = frozenset({"GLM_LSP_TOKEN"})  # the token of another machine's daemon


def daemon_environment(folders: Folders, environ: Mapping[str, str]) -> dict[str, str]:
    """The daemon's environment: nothing that an opened workspace could have put there."""
    kept = {
        name: value
        for name, value in environ.items()
        if (name in KEPT or name.startswith(KEPT_PREFIXES)) and name not in NOT_KEPT
    }
    kept["GLM_LSP_HOME"] = str(folders.home)
    kept["GLM_LSP_RUNTIME"] = str(folders.runtime)
    roots = source_roots()
    if roots:
        kept["PYTHONPATH"] = os.pathsep.join(roots)
    return kept


def source_roots() -> list[str]:
    """Folders outside site-packages that our own packages were found in (a source tree)."""
    from importlib.util import find_spec

    from glm_protocol.build import PACKAGES

    roots: list[str] = []
    for package in PACKAGES:
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            root = str(Path(place).absolute().parent)
            if not root.endswith("site-packages") and root not in roots:
                roots.append(root)
    return roots


@contextlib.contextmanager
def start_lock(folders: Folders) -> Iterator[bool]:
    """True for the one client that may start the daemon now, False for the others."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(folders.runtime / "start.lock", flags, 0o600)
    except OSError as error:
        message = f"The start lock in {folders.runtime} cannot be opened: {error.strerror}."
        raise DaemonUnreachable(message) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = True
        except OSError:
            mine = False
        yield mine
    finally:
        os.close(fd)


class DaemonProcess:
    """A daemon that we started and that outlives us. Knows whether it died and its last words."""

    def __init__(self, folders: Folders, serve_args: tuple[str, ...]) -> None:
        self._log = folders.log
        log_fd = self._open_log()
        try:
            self._log_start = os.fstat(log_fd).st_size
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE, *serve_args],
                stdin=subprocess.DEVNULL,
                stdout=log_fd,
                stderr=log_fd,
                cwd="/",
                env=daemon_environment(folders, os.environ),
                start_new_session=True,
            )
        except OSError as error:
            raise DaemonUnreachable(
                f"The daemon cannot be started: {error.strerror or error}."
            ) from error
        finally:
            os.close(log_fd)

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """Its exit code if it ended (and then no zombie stays), else None."""
        return self._process.poll()

    def last_words(self) -> str:
        """What it said last, at most 300 characters: its own complaint, or its log's last line."""
        try:
            with self._log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._log_start, size - 4096))
                lines = file.read().decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        said = [line for line in lines if line.startswith("glm-lsp serve: ")] or lines
        return said[-1].removeprefix("glm-lsp serve: ")[:300] if said else ""

    def let_go(self) -> None:
        """Stop watching; it runs on. (Popen would otherwise warn that it is still alive.)"""
        if self._process.poll() is None:
            self._process.returncode = 0

    def _open_log(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            if self._log.is_file() and self._log.stat().st_size > MAX_LOG:
                self._log.replace(self._log.with_suffix(".log.1"))
            return os.open(self._log, flags, 0o600)
        except OSError as error:
            message = f"The daemon's log {self._log} cannot be written: {error.strerror}."
            raise DaemonUnreachable(message) from error
