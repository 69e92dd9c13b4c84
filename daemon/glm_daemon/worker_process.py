"""A handle on one worker process: start it, talk to it, see it die. When to do so is not here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator

from glm_daemon.pipe import BrokenPipeFraming, Decoder, Message, encode

LOG = logging.getLogger(__name__)
READ_SIZE = 1 << 18
OWN_END = 0.2  # seconds in which an idle worker sees the closed pipe and leaves by itself
LOG_LINE = 400  # characters kept of a line on the worker's stderr
LOG_LINES = 200  # kept of one worker's life; a flood must not fill the disk


class WorkerProcess:
    """One running worker. Make it with `start`; `messages` ends when it is gone."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._log_task = asyncio.create_task(self._log_stderr())

    @classmethod
    async def start(cls) -> WorkerProcess:
        """Start a worker that waits for `load`. Raises OSError, e.g. when no process can be had."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "glm_daemon.worker"),
                *(str(theirs.fileno()), str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        try:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
        except BaseException:
            process.kill()
            ours.close()
            raise
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Message) -> None:
        """Write without waiting. A worker that is gone is noticed by `messages`, not here.

        Raises ValueError when the message is too big for the pipe.
        """
        data = encode(message)
        if not self._writer.is_closing():
            self._writer.write(data)

    async def messages(self) -> AsyncIterator[Message]:
        """What the worker says, until it closes the pipe or breaks its framing."""
        decoder = Decoder()
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(READ_SIZE):
                try:
                    messages = decoder.feed(data)
                except BrokenPipeFraming as error:
                    LOG.error("worker %d: %s", self.pid, error)
                    return
                for message in messages:
                    yield message

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    async def stop(self, patience: float) -> str:
        """Close the pipe, soon SIGTERM, after `patience` seconds SIGKILL; says how it ended."""
        self._writer.close()
        if not await self._ends_within(OWN_END):
            self._signal(signal.SIGTERM)
            if not await self._ends_within(patience):
                self.kill()
        return await self._ended()

    async def _ends_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()
                return True
        return False

    def _signal(self, number: int) -> None:
        """Not `Process.terminate`: that reaps a dead child, and asyncio then loses its code."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def _ended(self) -> str:
        """Wait for the end and say how it came, e.g. "killed by SIGKILL"."""
        code = await self._process.wait()
        self._writer.close()
        await self._log_task
        if code >= 0:
            return f"exit code {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"

    async def _log_stderr(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        lines = 0
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # a line longer than the stream's limit; its rest follows
                continue
            if not line:
                return
            lines += 1
            if lines <= LOG_LINES:
                text = line.decode("utf-8", "replace").rstrip()[:LOG_LINE]
                LOG.info("worker %d: %s", self.pid, text)
            elif lines == LOG_LINES + 1:
                LOG.warning("worker %d: writes too much; the rest is dropped", self.pid)
