"""Translation of one source text: units asked for one by one, one table of names, then a file.

Shared by `glm-lsp translate` and `glm/translate`. Who calls gives the asking (a stream of chunks
for a request) and the syntax process; nothing here reads or writes files. A unit whose translation
the target's grammar does not know is asked for once more, drawn instead of greedy; what still does
not parse is kept and its errors are told, with their lines.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, Protocol

from glm_context.syntax_facts import Outline, ParseProblem
from glm_lsp.position_codec import without_surrogates
from glm_lsp.translation_layout import NAMES, TranslatedUnit, language_of, whole_file
from glm_lsp.translation_units import (
    SourceUnit,
    check_size,
    own_methods,
    source_units,
    with_methods,
)
from glm_protocol.answers import Chunk, FinishReason
from glm_protocol.errors import BadRequest, PromptTooLong
from glm_protocol.translation import TranslationRequest, translated

Stream = Callable[[TranslationRequest], AsyncGenerator[Chunk, None]]
MAX_NAMES = 512
RETRY_TEMPERATURE = 0.5
DEADLINE_MS = 300_000


class ReadsSyntax(Protocol):
    """The two questions that are asked of the parse process; `AsyncSyntax` answers them."""

    async def outline(self, text: str, language: str, document: str = "") -> Outline: ...

    async def problems(self, text: str, language: str) -> tuple[ParseProblem, ...] | None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TranslationTask:
    """What to translate. `source` and `target` are languageIds, `path` tells names of files."""

    text: str
    source: str
    target: str
    path: PurePath
    model: str | None = None


class Listener(Protocol):
    """Hears of a translation while it is made."""

    def text(self, text: str) -> None:
        """A piece of a unit's translation."""

    def step(self, step: int, steps: int, message: str = "") -> None:
        """`step` of `steps` units are done."""


class Silent:
    """Hears nothing."""

    def text(self, text: str) -> None:
        """Nothing."""

    def step(self, step: int, steps: int, message: str = "") -> None:
        """Nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Translation:
    """A translated file.

    errors: places of `text` that the target's grammar does not know, lines from 0.
    parses: None where there is no grammar for the target on this machine.
    """

    text: str
    errors: tuple[ParseProblem, ...]
    parses: bool | None
    units: int
    retried: int
    cut: int
    model: str
    timings_ms: dict[str, float]
    source_errors: int

    def as_json(self) -> dict[str, Any]:
        """The object of `--json` and of `glm/translate`; its words are a contract."""
        return {
            "text": self.text,
            "parses": self.parses,
            "errors": [{"line": e.line, "message": e.message} for e in self.errors],
            "units": self.units,
            "retried": self.retried,
            "cut": self.cut,
            "source_errors": self.source_errors,
            "timings_ms": self.timings_ms,
            "model": self.model,
        }


def checked_task(task: TranslationTask) -> TranslationTask:
    """The task with languageIds. Raises BadRequest for languages that no grammar or form knows."""
    source, target = language_of(task.source), language_of(task.target)
    for word, language in ((task.source, source), (task.target, target)):
        if language not in NAMES:
            raise BadRequest(
                f"{word[:40]!r} is no language that code is translated from or to.",
                remedy="Known are " + ", ".join(sorted(NAMES)) + "; see --from and --to.",
            )
    if source == target:
        raise BadRequest(f"The source is in {NAMES[target]} already.")
    check_size(task.text)
    return TranslationTask(
        text=without_surrogates(task.text), source=source, target=target, path=task.path,
        model=task.model,
    )  # fmt: skip


@dataclass(kw_only=True)
class Translator:
    """Translates texts with one table of names, so that a folder's files fit together."""

    stream: Stream
    syntax: ReadsSyntax
    listener: Listener = field(default_factory=Silent)
    names: dict[str, str] = field(default_factory=dict)

    async def translate(self, task: TranslationTask) -> Translation:
        """Translate one text. Raises GlmError: BadRequest for what cannot be translated."""
        began = time.monotonic()
        task = checked_task(task)
        text = task.text.replace("\r\n", "\n").replace("\r", "\n")
        outline = await self.syntax.outline(text, task.source)
        units = source_units(outline.units, text, task.source)
        broken = await self.syntax.problems(text, task.source)
        run = _Run(translator=self, task=task)
        for number, unit in enumerate(units):
            self.listener.step(number, len(units), unit.name or unit.kind)
            await run.unit(unit)
        self.listener.step(len(units), len(units), "done")
        whole = whole_file(run.done, task.target, task.path)
        problems = await self.syntax.problems(whole, task.target)
        return Translation(
            text=whole,
            errors=problems or (),
            parses=None if problems is None else not problems,
            units=len(units),
            retried=run.retried,
            cut=run.cut,
            model=run.model,
            timings_ms={
                "first_text": round(1000 * ((run.first or time.monotonic()) - began), 1),
                "total": round(1000 * (time.monotonic() - began), 1),
            },
            source_errors=len(broken or ()),
        )


@dataclass(kw_only=True)
class _Run:
    """One file on its way."""

    translator: Translator
    task: TranslationTask
    done: list[TranslatedUnit] = field(default_factory=list)
    model: str = ""
    first: float | None = None
    retried: int = 0
    cut: int = 0

    async def unit(self, unit: SourceUnit) -> None:
        """Translate one unit, once more where the grammar does not know the first answer."""
        kind = "code" if unit.kind in ("code", "comment") else unit.kind
        try:
            text, names = await self._ask(unit, 0.0, show=True)
        except PromptTooLong:
            if not unit.parts:
                raise
            self.done.append(TranslatedUnit(kind=kind, text=await self._in_parts(unit)))
            return
        if await self._faults(text, kind):
            self.retried += 1
            again, more = await self._ask(unit, RETRY_TEMPERATURE, show=False)
            if await self._faults(again, kind) < await self._faults(text, kind):
                text, names = again, more
        self._remember(names)
        self.translator.listener.text("\n\n")
        self.done.append(TranslatedUnit(kind=kind, text=text))

    async def _in_parts(self, unit: SourceUnit) -> str:
        """A class that is too long at once: method by method, its fields beside each."""
        whole = ""
        for number, part in enumerate(unit.parts):
            steps = len(unit.parts)
            self.translator.listener.step(number, steps, f"{unit.name}, part {number + 1}")
            text, names = await self._ask(replace(unit, text=part), 0.0, show=True)
            self._remember(names)
            if not whole:
                whole = text
                continue
            outline = await self.translator.syntax.outline(text, self.task.target)
            whole = with_methods(whole, own_methods(outline.units, text), self.task.target)
        return whole

    async def _faults(self, text: str, kind: str) -> int:
        """Errors of a unit alone; in the wrappers that its file will give it."""
        whole = whole_file(
            [TranslatedUnit(kind=kind, text=text)], self.task.target, PurePath("Unit")
        )
        return len(await self.translator.syntax.problems(whole, self.task.target) or ())

    async def _ask(
        self, unit: SourceUnit, temperature: float, *, show: bool
    ) -> tuple[str, Iterable[str]]:
        number = uuid.uuid4().hex
        request = TranslationRequest(
            id=number,
            document=number,
            code=unit.text,
            source=self.task.source,
            target=self.task.target,
            path=str(self.task.path)[-4096:],
            names=self._names_for(unit.text),
            model=self.task.model,
            max_tokens=2048,
            temperature=temperature,
            seed=1,
            deadline_ms=DEADLINE_MS,
        )
        text, names = "", list[str]()
        try:
            async with aclosing(self.translator.stream(request)) as chunks:
                async for chunk in chunks:
                    text += chunk.text
                    if chunk.text:
                        self.first = self.first or time.monotonic()
                        if show:
                            self.translator.listener.text(chunk.text)
                    if chunk.end is not None:
                        self.model = chunk.end.model
                        names = [str(name) for name in chunk.end.report.get("names", ())]
                        text = translated(text, chunk.end.report)
                        self.cut += chunk.end.finish is not FinishReason.STOP
        except PromptTooLong as error:
            where = f"{unit.kind} {unit.name}".strip()
            raise PromptTooLong(
                f"The {where} at line {unit.line + 1} is too long to translate: {error}"
            ) from error
        return text, names

    def _names_for(self, code: str) -> tuple[str, ...]:
        """Lines of the table whose names the code holds."""
        known = self.translator.names.items()
        lines = (f"{old} = {new}" for old, new in known if old in code)
        return tuple(line for line in lines if len(line) <= 512)[-MAX_NAMES:]

    def _remember(self, lines: Iterable[str]) -> None:
        for line in lines:
            old, _, new = line.partition(" = ")
            if old and new:
                self.translator.names.setdefault(old, new)
