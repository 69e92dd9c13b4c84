"""Where the daemon writes what happened: ids, sizes, timings; never a prompt, text or token.

Exceptions are logged as type and frames: their messages may quote what the user typed.
"""

from __future__ import annotations

import logging
import os
import select
import traceback
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from glm_protocol.errors import GlmError

STDERR = 2
MAX_BYTES = 2 * 2**20  # of the log; one older file is kept
FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class DiscreetFormatter(logging.Formatter):
    """Prints no exception's message, except our own errors' and the system's."""

    def formatException(self, ei: ExcInfo) -> str:
        kind, error, trace = ei
        if kind is None:
            return ""
        said = f": {error}" if isinstance(error, GlmError) else ""
        if isinstance(error, OSError):
            said = f": {error.strerror}"
        return "".join(traceback.format_tb(trace)) + kind.__name__ + said


class UnblockedStderr(logging.Handler):
    """stderr, where a line is dropped rather than waited for.

    Whoever started us may have given us a pipe that nobody reads; when its 64 KiB are full, a
    write would stop the whole daemon. A pipe that polls as writable takes PIPE_BUF bytes.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode("utf-8", "replace")[: select.PIPE_BUF]
            _, writable, _ = select.select([], [STDERR], [], 0.0)
            if writable:
                os.write(STDERR, line)
        except (OSError, ValueError):
            self.handleError(record)


def _is_stderr(path: Path) -> bool:
    """Whether stderr goes to the same file already, as where a language server started us."""
    try:
        return os.path.samestat(os.fstat(STDERR), path.stat())
    except OSError:
        return False


def start_log(path: Path, level: str) -> None:
    """Log to `path` (0600, at most 2 × 2 MiB) and to stderr. A log that fails stops nothing."""
    logging.raiseExceptions = False
    formatter = DiscreetFormatter(FORMAT)
    handlers: list[logging.Handler] = []
    trouble = ""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        handlers.append(
            RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8")
        )
    except OSError as error:
        trouble = f"no log file ({error.strerror}); logging to stderr alone"
    if trouble or not _is_stderr(path):
        handlers.append(UnblockedStderr())
    root = logging.getLogger()
    root.setLevel(level.upper())
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    if trouble:
        logging.getLogger(__name__).warning(trouble)
