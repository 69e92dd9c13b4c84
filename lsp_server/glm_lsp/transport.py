"""Moves frames between two file descriptors and the event loop: one thread each way.

The loop never blocks on the editor: reading waits in its own thread (with a bound on what is
handed over but not yet handled), writing is a queue drained by the other thread, so frames
cannot interleave. Not here: what a message means.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from glm_lsp.framing import FrameDecoder, FramingError, encode_frame

CHUNK = 64 * 1024
MAX_UNHANDLED = 16  # messages handed to the loop and not yet taken up
MAX_UNWRITTEN = 64 * 1024 * 1024  # bytes queued for an editor that does not read

log = logging.getLogger(__name__)

Deliver = Callable[[bytes], None]
Ended = Callable[[str | None], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Descriptors:
    """Where frames come from and go to."""

    read_fd: int
    write_fd: int


def claim_stdio() -> Descriptors:
    """Take stdin and stdout away from everything else in this process.

    Afterwards a library's `print` lands on stderr and cannot corrupt the stream.
    """
    sys.stdout.flush()
    open_stderr()  # first: a descriptor that is opened while 2 is free becomes stderr
    claimed = Descriptors(read_fd=os.dup(0), write_fd=os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return claimed


def open_stderr() -> None:
    """Let descriptor 2 lead to nowhere where whoever started us closed it."""
    try:
        os.fstat(2)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 2)
        if null != 2:
            os.close(null)


class FrameWriter:
    """Sends frames in the order of `send`, whole, from one thread."""

    def __init__(self, fd: int, on_broken: Callable[[str], None]) -> None:
        self._fd = fd
        self._on_broken = on_broken
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unwritten = 0
        self._broken = False
        self._thread = threading.Thread(target=self._drain, name="glm-write", daemon=True)
        self._thread.start()

    def send(self, body: bytes) -> None:
        """Queue one message. Never blocks; a client that stopped reading ends the session."""
        frame = encode_frame(body)
        with self._lock:
            if self._broken:
                return
            self._unwritten += len(frame)
            overflow = self._unwritten > MAX_UNWRITTEN
            self._broken = overflow
        if overflow:
            self._on_broken(f"The editor left {MAX_UNWRITTEN} bytes unread.")
        else:
            self._queue.put(frame)

    def close(self, timeout: float = 2.0) -> None:
        """Write what is queued, then stop."""
        self._queue.put(None)
        self._thread.join(timeout)

    def _drain(self) -> None:
        while (frame := self._queue.get()) is not None:
            view = memoryview(frame)
            try:
                while view:
                    view = view[os.write(self._fd, view) :]
            except OSError as error:
                with self._lock:
                    self._broken = True
                self._on_broken(f"Writing to the editor failed: {error.strerror}.")
                return
            with self._lock:
                self._unwritten -= len(frame)


class FrameReader:
    """Reads frames in its thread and delivers them, in order, on the loop."""

    def __init__(
        self, fd: int, loop: asyncio.AbstractEventLoop, deliver: Deliver, ended: Ended
    ) -> None:
        self._fd = fd
        self._loop = loop
        self._deliver = deliver
        self._ended = ended
        self._unhandled = threading.Semaphore(MAX_UNHANDLED)

    def start(self) -> None:
        threading.Thread(target=self._run, name="glm-read", daemon=True).start()

    def _run(self) -> None:
        try:
            problem = self._read_all()
            self._loop.call_soon_threadsafe(self._ended, problem)
        except RuntimeError:
            log.debug("the event loop closed before the stream ended")

    def _read_all(self) -> str | None:
        """Deliver until the stream ends; what was wrong with it, or None."""
        decoder = FrameDecoder()
        try:
            while data := os.read(self._fd, CHUNK):
                for body in decoder.feed(data):
                    self._unhandled.acquire()
                    self._loop.call_soon_threadsafe(self._hand_over, body)
            decoder.end()
        except FramingError as error:
            return str(error)
        except OSError as error:
            return f"Reading from the editor failed: {error.strerror}."
        return None

    def _hand_over(self, body: bytes) -> None:
        self._unhandled.release()
        self._deliver(body)
