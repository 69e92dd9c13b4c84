"""What a session knows of its workspaces: snippets for a cursor, in time or not at all.

A context worker for each open folder does the work. Snippets are pinned to a document: they stay
as they are between keystrokes, so that the engine keeps their part of the prompt, until the
worker's newer answer really differs. Recent places of other documents come from the editor's own
buffers. Not here: how anything is found or ranked (see `glm_context`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from glm_context.context_worker import ContextWorker
from glm_context.gathered import CursorSite, Gathered, RecentPlace
from glm_context.secret_files import is_secret_file
from glm_lsp.context_window import ContextWindow, unix_lines, window_at
from glm_lsp.documents import Cursor, Document
from glm_lsp.position_codec import without_surrogates
from glm_protocol.completion import FOR_MEMORY, Snippet
from glm_protocol.folders import user_folders
from glm_protocol.settings import ContextSettings

BUDGET_S = 0.005  # a completion waits so long at a place that nothing was gathered for
FAR = 20  # lines from which a place is another one
QUESTION_S = 2.0  # a question in words waits so long
MAX_WORKERS = 4
MAX_PINNED = 64
MAX_RECENT = 6  # places of other documents that go along
AROUND = 12  # lines of such a place above and below
WHOLE_LINES = 6000  # of a document whose whole text is looked at, not the window alone
NAMED = ("import", "definition")  # sources whose best is what the code at the cursor names
SAME = 3  # as long as so many of the best are still there, nothing really changed

log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class Pinned:
    """The snippets of one document."""

    gathered: Gathered
    line: int
    gathered_ms: float = 0.0


@dataclass(kw_only=True, slots=True)
class Assembly:
    """How the last completion got its snippets; for reports."""

    waited_ms: float = 0.0
    gathered_ms: float = 0.0
    pinned: bool = False
    snippets: tuple[Snippet, ...] = ()
    withheld: tuple[dict[str, Any], ...] = field(default_factory=tuple)


class WorkspaceKnowledge:
    """`root_of` names the open folder that a document is in, `path_of` its path in there."""

    def __init__(
        self,
        root_of: Callable[[str], PurePosixPath | None],
        path_of: Callable[[str], str],
        on_progress: Callable[[Path, dict[str, Any]], None],
    ) -> None:
        self.settings = ContextSettings()
        self.editor_excludes: tuple[str, ...] = ()  # taken up with the settings
        self._excludes: tuple[str, ...] = ()
        self.last: dict[str, Assembly] = {}
        self._root_of, self._path_of = root_of, path_of
        self._on_progress = on_progress
        self._workers: dict[Path, ContextWorker] = {}
        self._pinned: OrderedDict[str, Pinned] = OrderedDict()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._recent: OrderedDict[str, tuple[Document, int]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, settings: ContextSettings) -> None:
        """New settings; workers that run with others end."""
        excludes = (*settings.exclude, *self.editor_excludes)
        if settings != self.settings or excludes != self._excludes:
            self.settings, self._excludes = settings, excludes
            self._pinned.clear()
            workers, self._workers = self._workers, {}
            for worker in workers.values():
                self._in_background(worker.aclose())

    def begin(self, document: Document) -> None:
        """A document was opened: have its folder's worker ready."""
        worker = self._worker(document.uri)
        if worker is not None and document.unusable is None:
            self._in_background(worker.start())
            self._ask(document, window_at(document, Cursor(line=0, index=0)))

    def note(self, document: Document, line: int) -> None:
        """The user edits or looks at this line."""
        self._recent[document.uri] = (document, line)
        self._recent.move_to_end(document.uri)
        while len(self._recent) > MAX_PINNED:
            self._recent.popitem(last=False)

    def saved(self, uri: str) -> None:
        """A file was saved, made, changed or deleted on disk."""
        self.changed([uri])

    def changed(self, uris: list[str]) -> None:
        paths: dict[Path, list[str]] = {}
        for uri in uris:
            root = self._root_of(uri)
            if root is not None and Path(root) in self._workers:
                paths.setdefault(Path(root), []).append(self._path_of(uri))
        for folder, changed in paths.items():
            self._in_background(self._workers[folder].changed(changed))

    def forget(self, uri: str) -> None:
        """A document was closed; where the user was in it stays known."""
        self._pinned.pop(uri, None)
        self.last.pop(uri, None)

    async def snippets(self, document: Document, window: ContextWindow) -> tuple[Snippet, ...]:
        """Snippets for a cursor: the pinned ones at once, or what comes within the budget."""
        began = time.perf_counter()
        self.note(document, window.line)
        pinned = self._pinned.get(document.uri)
        asking = self._ask(document, window)
        if asking is not None and (pinned is None or abs(pinned.line - window.line) > FAR):
            await asyncio.wait({asking}, timeout=BUDGET_S)
            pinned = self._pinned.get(document.uri)
        waited = 1e3 * (time.perf_counter() - began)
        found = Gathered() if pinned is None else pinned.gathered
        self.last[document.uri] = Assembly(
            waited_ms=round(waited, 2),
            gathered_ms=0.0 if pinned is None else pinned.gathered_ms,
            pinned=pinned is not None,
            snippets=found.snippets,
            withheld=tuple({"path": w.path, "kinds": list(w.kinds)} for w in found.withheld),
        )
        return found.snippets

    async def about(self, words: str, uri: str | None) -> tuple[Snippet, ...]:
        """Snippets for a question in words: of a document's workspace, else of any that is open."""
        worker = self._worker(uri) if uri is not None else next(iter(self._workers.values()), None)
        if worker is None:
            return ()
        text = without_surrogates(words)
        site = CursorSite(path="", language="markdown", text=text, offset=len(text))
        try:
            async with asyncio.timeout(QUESTION_S):
                answer = await worker.gather(site)
        except TimeoutError:
            return ()
        return () if answer is None else for_prompt(answer[0]).snippets

    async def aclose(self) -> None:
        """End every worker."""
        for task in [*self._tasks, *self._asking.values()]:
            task.cancel()
        workers, self._workers = self._workers, {}
        for worker in workers.values():
            await worker.aclose()

    def is_secret(self, document: Document) -> bool:
        """Whether this is a file whose text goes nowhere."""
        return is_secret_file(self._path_of(document.uri))

    def _ask(self, document: Document, window: ContextWindow) -> asyncio.Task[None] | None:
        """Have the snippets gathered anew; one question a document at a time."""
        uri = document.uri
        worker = self._worker(uri)
        if worker is None or self.is_secret(document):
            return None
        if uri not in self._asking:
            before = without_surrogates(text_before(document, window))
            site = CursorSite(
                path=self._path_of(uri),
                language=document.language[:64],
                text=before + without_surrogates(window.suffix),
                offset=len(before),
            )
            task = asyncio.create_task(self._gather(worker, uri, site, window.line))
            self._asking[uri] = task
            task.add_done_callback(lambda _: self._asking.pop(uri, None))
        return self._asking[uri]

    async def _gather(self, worker: ContextWorker, uri: str, site: CursorSite, line: int) -> None:
        name = hashlib.sha256(uri.encode("utf-8", "replace")).hexdigest()[:32]
        answer = await worker.gather(site, recent=self._places(uri), document=name)
        if answer is None:
            return
        gathered, took = answer
        kept, before = for_prompt(gathered), self._pinned.get(uri)
        if before is not None and abs(before.line - line) <= FAR:
            held = for_prompt(before.gathered)
            kept = in_kept_words(held, kept) if differs(held, kept) else held
        fresh = [each for each in gathered.snippets if each.source == FOR_MEMORY]
        kept = replace(kept, snippets=(*kept.snippets, *fresh))
        self._pinned[uri] = Pinned(gathered=kept, line=line, gathered_ms=took)
        self._pinned.move_to_end(uri)
        while len(self._pinned) > MAX_PINNED:
            self._pinned.popitem(last=False)

    def _places(self, uri: str) -> list[RecentPlace]:
        """Where the user was in other documents, newest first, as the buffers are now."""
        places = []
        for other, (document, line) in reversed(self._recent.items()):
            if other == uri or document.unusable is not None or self.is_secret(document):
                continue
            if self._root_of(other) != self._root_of(uri):
                continue
            first = max(0, min(line, len(document.lines) - 1) - AROUND)
            text = "".join(part[:500] for part in document.lines[first : line + AROUND])
            places.append(
                RecentPlace(
                    path=self._path_of(other),
                    language=document.language[:64],
                    text=without_surrogates(text.replace("\r\n", "\n")),
                    first_line=first,
                )
            )
            if len(places) >= MAX_RECENT:
                break
        return places

    def _worker(self, uri: str) -> ContextWorker | None:
        root = self._root_of(uri) if self.settings.enable else None
        if root is None:
            return None
        folder = Path(root)
        if folder not in self._workers:
            if len(self._workers) >= MAX_WORKERS:
                return None
            try:
                home = user_folders().home
            except ValueError:
                return None
            self._workers[folder] = ContextWorker(
                folder,
                home,
                excludes=self._excludes,
                on_progress=lambda progress: self._on_progress(folder, progress),
            )
        return self._workers[folder]

    def _in_background(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def text_before(document: Document, window: ContextWindow) -> str:
    """Everything above the cursor, imports included, where the document is of sane length."""
    if len(document.lines) > WHOLE_LINES or window.line >= len(document.lines):
        return window.prefix
    return unix_lines("".join(document.lines[: window.line])) + window.head


def for_prompt(found: Gathered) -> Gathered:
    """Without what only a memory reads: that is no part of a prompt, so it need not be pinned."""
    return replace(found, snippets=tuple(s for s in found.snippets if s.source != FOR_MEMORY))


def differs(before: Gathered, now: Gathered) -> bool:
    """Whether the best snippets are of other places than before, or too few others are left."""
    firsts = {each.source: each for each in reversed(now.snippets)}  # the best of each source
    best = [*now.snippets[:SAME], *(firsts[source] for source in NAMED if source in firsts)]
    if any(same_place(each, before) is None for each in best):
        return True
    left = sum(same_place(each, before) is not None for each in now.snippets)
    return 2 * left < len(now.snippets)


def in_kept_words(before: Gathered, now: Gathered) -> Gathered:
    """The new snippets in the words that the old ones had, where they show the same place.

    In the new order: the prompt is read anew once, and a small model has room for the first few.
    """
    kept = tuple(dict.fromkeys(same_place(new, before) or new for new in now.snippets))
    return Gathered(snippets=kept, withheld=now.withheld)


def same_place(new: Snippet, before: Gathered) -> Snippet | None:
    """The earlier snippet that shows the same lines, or most of them: edits and excerpts shift."""
    lines = set(new.text.split("\n"))
    for old in before.snippets:
        if old.id == new.id:
            return old
        if old.path == new.path and 2 * len(lines & set(old.text.split("\n"))) > len(lines):
            return old
    return None
