"""Gives the texts of open folders to the engine's memory, in the background and once.

Begun by the first completion whose report says that the engine has a memory and holds less of
the folder than was given: so an engine that was started anew is fed again, and one without a
memory never. Only this machine's own daemon is fed. Not here: what may be read (`glm_context`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path, PurePosixPath
from typing import Any

from glm_client.memory_feed import batches, workspace_name
from glm_context.secret_rules import redact
from glm_context.workspace_files import WorkspaceFiles
from glm_protocol.answers import Chunk
from glm_protocol.errors import GlmError
from glm_protocol.remembering import RememberedFile, RememberRequest

MOST_CHARACTERS = 6_000_000  # of one folder; about what a memory holds
PAUSE_S = 0.02  # between two requests: completions come first

Stream = Callable[[RememberRequest], AsyncGenerator[Chunk, None]]

log = logging.getLogger(__name__)


class MemoryFeeding:
    """`root_of` names the open folder that a document is in; `stream` asks the daemon."""

    def __init__(
        self,
        root_of: Callable[[str], PurePosixPath | None],
        path_of: Callable[[str], str],
        stream: Stream,
    ) -> None:
        self.wanted = True  # off for a team's daemon
        self.excludes: tuple[str, ...] = ()
        self._root_of, self._path_of = root_of, path_of
        self._stream = stream
        self._given: dict[str, int] = {}  # documents that a folder's memory was given
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def name_of(self, uri: str) -> str:
        """The name of a document's folder in requests; "" outside of all."""
        return workspace_name(self._root_of(uri))

    def heard(self, uri: str, report: Any) -> None:
        """A completion ended; its report says what the engine remembers of the folder."""
        held = report.get("memory") if isinstance(report, dict) else None
        root = self._root_of(uri)
        if not self.wanted or root is None or not isinstance(held, dict):
            return
        name = self.name_of(uri)
        count = held.get("documents")
        if name in self._tasks or not isinstance(count, int) or count >= self._given.get(name, 1):
            return
        self._begin(name, self._feed_all(name, Path(root)))

    def changed(self, uris: list[str]) -> None:
        """Files were written, made or deleted: what was given already is renewed."""
        for uri in uris[:100]:
            root, name = self._root_of(uri), self.name_of(uri)
            if root is not None and self._given.get(name) and name not in self._tasks:
                self._begin(name, self._feed_one(name, Path(root), self._path_of(uri)))

    async def aclose(self) -> None:
        """Stop feeding."""
        for task in list(self._tasks.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _begin(self, name: str, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def _feed_all(self, name: str, root: Path) -> None:
        groups = batches(texts_of(root, self.excludes))
        while (group := await asyncio.to_thread(next, groups, None)) is not None:
            if not await self._send(name, group):
                return
            await asyncio.sleep(PAUSE_S)

    async def _feed_one(self, name: str, root: Path, path: str) -> None:
        text = await asyncio.to_thread(text_of, root, path, self.excludes)
        await self._send(name, next(batches([(path, text)])))

    async def _send(self, name: str, group: tuple[RememberedFile, ...]) -> bool:
        """Whether the engine took it."""
        request = RememberRequest(
            id=uuid.uuid4().hex, document=f"memory/{uuid.uuid4().hex}", workspace=name, files=group
        )
        try:
            async with aclosing(self._stream(request)) as chunks:
                async for chunk in chunks:
                    if chunk.end is not None:
                        count = chunk.end.report.get("documents")
                        if not isinstance(count, int) or count == 0:
                            return False
                        self._given[name] = count
        except GlmError as error:
            log.info("the memory was not fed: %s", error)
            return False
        return True


def texts_of(root: Path, excludes: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Path and text of a folder's files, secrets taken out, up to a bound."""
    files = WorkspaceFiles(root, excludes)
    left = MOST_CHARACTERS
    for found in files.walk():
        text = files.read(found.path)
        if text:
            left -= len(text)
            if left < 0:
                return
            yield found.path, redact(text, found.language)[0]


def text_of(root: Path, path: str, excludes: tuple[str, ...] = ()) -> str:
    """The text of one file as it is now; "" where it may not be read or is gone."""
    files = WorkspaceFiles(root, excludes)
    found = files.find(path)
    text = None if found is None else files.read(path)
    return "" if not text or found is None else redact(text, found.language)[0]
