"""`AsyncSyntax`: the same questions for an event loop, which it never blocks.

One question at a time goes to the process; the others wait their turn, and one that is no longer
wanted (its task cancelled) is dropped before it is asked. Never raises over a text.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Any, TypeVar

from glm_context import questions
from glm_context.parse_frames import ANSWER, answer_length, question
from glm_context.parse_record import ANSWER_S, COMMAND, START_S, ParseRecord
from glm_context.questions import Question
from glm_context.syntax_facts import CursorFacts, Hole, Outline, ParseProblem, Unit

T = TypeVar("T")


class AsyncSyntax:
    """Starts its process at the first question; end it with `aclose`."""

    def __init__(self, *, answer_s: float = ANSWER_S) -> None:
        self.record = ParseRecord()
        self._answer_s = answer_s
        self._process: Process | None = None
        self._spawning: asyncio.Task[Process] | None = None
        self._turn = asyncio.Lock()

    async def problems(self, text: str, language: str) -> tuple[ParseProblem, ...] | None:
        """See `Syntax.problems`."""
        return await self.ask(questions.problems(text, language))

    async def outline(self, text: str, language: str, document: str = "") -> Outline:
        """See `Syntax.outline`. `document` names a buffer that will be asked about again."""
        return await self.ask(questions.outline(text, language, document))

    async def units(self, text: str, language: str) -> tuple[Unit, ...]:
        """See `Syntax.units`."""
        return (await self.outline(text, language)).units

    async def cursor(
        self, text: str, language: str, offset: int, document: str = ""
    ) -> CursorFacts:
        """See `Syntax.cursor`; with `document` the parse is incremental."""
        return await self.ask(questions.cursor(text, language, offset, document))

    async def holes(self, text: str, language: str) -> tuple[Hole, ...]:
        """See `Syntax.holes`."""
        return await self.ask(questions.holes(text, language))

    async def ask(self, asked: Question[T]) -> T:
        """The answer, by indentation where the parse process gives none."""
        if not asked.askable:
            return asked.otherwise()
        fingerprint = asked.fingerprint()
        async with self._turn:
            if self.record.refuses(fingerprint):
                return asked.otherwise()
            try:
                wire = await self._exchange(question(asked.head(), asked.text))
            except (OSError, EOFError, ValueError):
                await self._kill()
                self.record.died_of(fingerprint)
                return asked.otherwise()
            except asyncio.CancelledError:
                await self._kill()  # its answer would be taken for the next question's
                raise
        if "result" not in wire:
            self.record.gave_up_on(fingerprint)
            return asked.otherwise()
        return asked.read(wire["result"])

    async def start(self) -> None:
        """Start the process ahead of the first question."""
        async with self._turn:
            await self._started()

    async def aclose(self) -> None:
        """End the process. The next question starts another."""
        await self._kill()

    async def _started(self) -> Process:
        if self._process is None:
            if self._spawning is None:
                start = asyncio.create_subprocess_exec(
                    *COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
                )
                self._spawning = asyncio.ensure_future(start)
            # Shielded: a start that is cancelled half-way would leave a process nobody knows.
            self._process = await asyncio.shield(self._spawning)
            self._spawning = None
        return self._process

    async def _exchange(self, frame: bytes) -> dict[str, Any]:
        fresh = self._process is None
        async with asyncio.timeout(self._answer_s + (START_S if fresh else 0.0)):
            process = await self._started()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(frame)
            await process.stdin.drain()
            length = answer_length(await process.stdout.readexactly(ANSWER.size))
            wire: dict[str, Any] = json.loads(await process.stdout.readexactly(length))
        return wire

    async def _kill(self) -> None:
        if self._spawning is not None:
            spawning, self._spawning = self._spawning, None
            with contextlib.suppress(OSError):
                self._process = await spawning
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            if process.stdin is not None:
                process.stdin.close()
            await process.wait()
