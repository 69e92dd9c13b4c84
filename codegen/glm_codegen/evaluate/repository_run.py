"""Asks the real daemon at the places of a repository, and judges what it said."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_client.memory_feed import feed
from glm_codegen.evaluate.repository_holes import QUIET, Place, workspace_texts
from glm_codegen.evaluate.text_measures import (
    edit_similarity,
    identifier_f1,
    repeats_suffix,
    typed_share,
)
from glm_context.gathered import CursorSite
from glm_context.secret_rules import redact
from glm_context.syntax import Syntax
from glm_context.workspace_context import WorkspaceContext
from glm_protocol.completion import (
    CodeContext,
    CompletionMode,
    CompletionRequest,
    GhostText,
    Snippet,
)
from glm_protocol.request_fields import Trigger

BEFORE, AFTER = 24_000, 8_000  # characters around the cursor, as the language server sends
MAX_TOKENS = {CompletionMode.LINE: 48, CompletionMode.BLOCK: 128}
DEADLINE_MS = 120_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """What is switched on. `quiet` is the dial at quiet spots and for `shown`.

    memory: whether anything but the model speaks; workspace_memory: whether the repository's texts
    are given to the memory beforehand, or it has the open file and the context's pieces alone.
    """

    model: str | None
    adapter: str | None
    context: bool
    memory: bool
    workspace_memory: bool
    quiet: float

    @property
    def feeds(self) -> bool:
        return self.memory and self.workspace_memory


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """Figures of one place; None where a measure does not apply."""

    id: str
    kind: str
    language: str
    path: str
    line: int
    exact: float | None = None
    similarity: float | None = None
    identifier_f1: float | None = None
    keystrokes_saved: float | None = None
    broken: float | None = None
    suffix_repetition: float | None = None
    shown: float | None = None
    quiet: float | None = None
    confidence: float = 0.0
    silence: float = 0.0
    first_ms: float | None = None
    total_ms: float | None = None
    prompt_ms: float | None = None
    prefill_ms: float | None = None
    decode_ms: float | None = None

    def to_wire(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def judge(place: Place, said: str, syntax: Syntax) -> dict[str, float]:
    """What the text is worth; the same for the daemon and for a baseline."""
    truth, text = place.truth.rstrip(), said.rstrip()
    after = place.source.text[place.end :]
    found = {
        "exact": float(text.strip() == truth.strip()),
        "similarity": edit_similarity(text.strip(), truth.strip()),
        "identifier_f1": identifier_f1(text, truth),
        "keystrokes_saved": typed_share(text.lstrip(), truth.lstrip()),
    }
    if text:
        whole = place.source.text[: place.start] + said + after
        problems = syntax.problems(whole, place.source.language)
        found["broken"] = float(bool(problems))
        found["suffix_repetition"] = float(repeats_suffix(text, after))
    return found


class RepositoryRun:
    """One daemon, one repository. `begin` feeds memory and index, `ask` answers one place."""

    def __init__(self, root: Path, client: DaemonClient, options: RunOptions) -> None:
        self._root = root
        self._client = client
        self._options = options
        self._workspace = f"eval/{uuid.uuid4().hex}"
        self._context = WorkspaceContext(root) if options.context else None
        self._syntax = Syntax()
        self.model = options.model or ""

    async def begin(self, report: Callable[[str], None]) -> None:
        """Raises GlmError."""
        if self._context is not None:
            report("building the index")
            self._context.build()
        if self._options.feeds:
            report("feeding the memory")
            texts = workspace_texts(self._root)
            async for end in feed(self._client, self._workspace, texts, model=self._options.model):
                self.model = end.model

    def close(self) -> None:
        self._syntax.close()
        if self._context is not None:
            self._context.close()

    async def ask(self, place: Place) -> Judged:
        """Raises GlmError."""
        answer = await self._client.whole(self.request(place))
        self.model = answer.end.model
        report, timings = answer.end.report, answer.end.timings_ms
        said = str(report.get("final", answer.text))
        gate = report.get("gate") or {}
        confidence = float(report.get("confidence") or 0.0)
        silent = not said or confidence < self._options.quiet
        found: dict[str, float] = (
            {"quiet": float(silent)}
            if place.kind == QUIET
            else {**judge(place, said, self._syntax), "shown": float(not silent)}
        )
        assert not gate.get("withheld") or not said
        return Judged(
            id=place.id,
            kind=place.kind,
            language=place.source.language,
            path=place.source.path,
            line=place.line,
            confidence=confidence,
            silence=float(report.get("silence") or 0.0),
            first_ms=timings.first_text or None,
            total_ms=timings.total,
            prompt_ms=timings.prompt,
            prefill_ms=timings.prefill,
            decode_ms=timings.decode,
            **found,
        )

    def request(self, place: Place) -> CompletionRequest:
        """As an editor's: automatic at quiet spots, asked for by hand at holes."""
        source = place.source
        prefix, _ = redact(source.text[: place.start][-BEFORE:], source.language)
        suffix, _ = redact(source.text[place.end :][:AFTER], source.language)
        return CompletionRequest(
            id=uuid.uuid4().hex,
            document=f"{self._workspace}/{source.path}",
            context=CodeContext(
                path=source.path,
                language=source.language,
                prefix=prefix,
                suffix=suffix,
                snippets=self._snippets(place),
            ),
            mode=place.mode,
            trigger=Trigger.AUTOMATIC if place.kind == QUIET else Trigger.EXPLICIT,
            model=self._options.model,
            adapter=self._options.adapter,
            max_tokens=MAX_TOKENS[place.mode],
            deadline_ms=DEADLINE_MS,
            workspace=self._workspace if self._options.feeds else "",
            memory=self._options.memory,
            ghost=GhostText(),
        )

    def _snippets(self, place: Place) -> tuple[Snippet, ...]:
        if self._context is None:
            return ()
        text = place.source.text[: place.start] + place.source.text[place.end :]
        site = CursorSite(
            path=place.source.path,
            language=place.source.language,
            text=text,
            offset=place.start,
        )
        return self._context.gather(site).snippets
