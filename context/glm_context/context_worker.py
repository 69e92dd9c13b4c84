"""`ContextWorker`: the asyncio end of a workspace's context process.

Starts it at the first question and again when it died (at most a few times a minute); never
waits longer than it is told to, and never raises: what does not come in time is an empty answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glm_context.gathered import CursorSite, Gathered, RecentPlace, Withheld
from glm_protocol.completion import Snippet

MAX_LINE = 8 << 20
MAX_STARTS, WINDOW_S = 4, 60.0
CLOSE_S = 1.0
HUNG_S = 10.0  # a question without an answer for so long: the process is started anew

Progress = Callable[[dict[str, Any]], None]
log = logging.getLogger(__name__)


class ContextWorker:
    """One workspace. `on_progress` hears how far the index is, `on_renewed` that it changed."""

    def __init__(
        self,
        root: Path,
        home: Path,
        *,
        excludes: Sequence[str] = (),
        on_progress: Progress = lambda _: None,
    ) -> None:
        self.root = root
        self._home = home
        self._excludes = tuple(excludes)
        self._on_progress = on_progress
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._spawning: asyncio.Task[Process | None] | None = None
        self._closed = False
        self._starts: deque[float] = deque(maxlen=MAX_STARTS)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._oldest = 0.0
        self._numbers = itertools.count(1)
        self._built = False

    async def gather(
        self, site: CursorSite, *, recent: Sequence[RecentPlace] = (), document: str = ""
    ) -> tuple[Gathered, float] | None:
        """What there is for a cursor and the milliseconds it took; None without an answer.

        Cancel the caller to stop waiting; the process goes on and nothing is lost.
        """
        message = {
            "do": "gather",
            "path": site.path,
            "language": site.language,
            "text": site.text,
            "offset": site.offset,
            "document": document,
            "recent": [asdict(place) for place in recent],
        }
        answer = await self._ask(message)
        if answer is None:
            return None
        try:
            return gathered_from_wire(answer), float(answer["ms"])
        except (KeyError, TypeError, ValueError):
            return None

    async def status(self) -> dict[str, Any] | None:
        """Counts of the index and whether it is being built."""
        answer = await self._ask({"do": "status"})
        return None if answer is None else answer.get("status")

    async def start(self) -> None:
        """Start the process and the building of the index, ahead of the first question."""
        await self._running()

    async def changed(self, paths: Sequence[str]) -> None:
        """Files that were saved, made or deleted, relative to the root."""
        if self._process is not None and paths:
            await self._send({"do": "changed", "paths": list(paths)})

    async def aclose(self) -> None:
        """End the process; no other is started."""
        self._closed = True
        if self._spawning is not None:
            await self._spawning
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()  # it ends its own children, then itself
            try:
                await asyncio.wait_for(process.wait(), CLOSE_S)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._reader is not None:  # at its end, or waiting for one that died before
            await asyncio.wait([self._reader], timeout=CLOSE_S)
            self._reader.cancel()
        self._fail_all()

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any] | None:
        now = time.monotonic()
        if self._asked and now - self._oldest > HUNG_S:
            log.warning("the context worker gives no answer and is started again")
            await self._drop()
        number = next(self._numbers)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if not self._asked:
            self._oldest = now
        self._asked[number] = future
        try:
            if not await self._send({"id": number, **message}):
                return None
            return await future
        except ConnectionError:
            return None
        finally:
            self._asked.pop(number, None)

    async def _send(self, message: dict[str, Any]) -> bool:
        process = await self._running()
        if process is None or process.stdin is None:
            return False
        try:
            process.stdin.write(json.dumps(message).encode() + b"\n")
            await process.stdin.drain()
        except (OSError, RuntimeError):
            await self._drop()
            return False
        return True

    async def _running(self) -> Process | None:
        """The process, started if there is none; None when it keeps dying."""
        if self._process is not None or self._closed:
            return self._process
        if self._spawning is None:
            now = time.monotonic()
            if len(self._starts) == MAX_STARTS and now - self._starts[0] < WINDOW_S:
                return None
            self._starts.append(now)
            self._spawning = asyncio.create_task(self._spawn())
        # Shielded: a start that is cancelled half-way would leave a process that nobody knows.
        return await asyncio.shield(self._spawning)

    async def _spawn(self) -> Process | None:
        command = [sys.executable, "-P", "-m", "glm_context.context_process", str(self.root)]
        command += ["--home", str(self._home), *(f"--exclude={e}" for e in self._excludes)]
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=MAX_LINE
            )
        except OSError as error:
            log.warning("no context worker: %s", error.strerror)
            return None
        finally:
            self._spawning = None
        self._process = process
        self._reader = asyncio.create_task(self._read(process))
        assert process.stdin is not None
        if not self._built:
            process.stdin.write(b'{"do": "build"}\n')
            self._built = True
        return process

    async def _read(self, process: Process) -> None:
        """Hand answers to those who asked, until the process ends."""
        assert process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            while line := await process.stdout.readline():
                message = json.loads(line)
                future = self._asked.pop(message.get("id", 0), None)
                self._oldest = time.monotonic()
                if future is not None and not future.done():
                    future.set_result(message)
                elif "progress" in message:
                    self._on_progress(message["progress"])
        if self._process is process:
            await self._drop()

    async def _drop(self) -> None:
        """Let go of a process that died or hangs."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        self._fail_all()

    def _fail_all(self) -> None:
        asked, self._asked = self._asked, {}
        for future in asked.values():
            if not future.done():
                future.set_exception(ConnectionError())


def gathered_from_wire(wire: dict[str, Any]) -> Gathered:
    """Raises KeyError, TypeError or ValueError on a malformed answer."""
    return Gathered(
        snippets=tuple(Snippet(**snippet) for snippet in wire["snippets"]),
        withheld=tuple(
            Withheld(path=each["path"], kinds=tuple(each["kinds"])) for each in wire["withheld"]
        ),
    )
