"""`Syntax`: questions about texts, answered by a parse process of its own. Blocking; for commands.

    with Syntax() as syntax:
        for unit in syntax.outline(text, "python").units:
            print(unit.kind, unit.name, unit.first_line)

Never raises over a text: what cannot be parsed is read by its indentation. Not thread-safe.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from glm_context import questions
from glm_context.parse_frames import ANSWER, answer_length, question
from glm_context.parse_record import ANSWER_S, COMMAND, START_S, ParseRecord
from glm_context.questions import Question
from glm_context.syntax_facts import CursorFacts, Hole, Outline, ParseProblem, Unit

T = TypeVar("T")


class Syntax:
    """Starts its process at the first question and ends it at `close`."""

    def __init__(self, *, answer_s: float = ANSWER_S) -> None:
        self.record = ParseRecord()
        self._answer_s = answer_s
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: Callable[[], object] = lambda: None

    def problems(self, text: str, language: str) -> tuple[ParseProblem, ...] | None:
        """Parse errors; None where the language has no grammar or the text is beyond budget."""
        return self.ask(questions.problems(text, language))

    def outline(self, text: str, language: str) -> Outline:
        """The file's units (they cover all of its code) and imports."""
        return self.ask(questions.outline(text, language))

    def units(self, text: str, language: str) -> tuple[Unit, ...]:
        """The file's top-level units, in order."""
        return self.outline(text, language).units

    def cursor(self, text: str, language: str, offset: int) -> CursorFacts:
        """What stands around the cursor before character `offset`."""
        return self.ask(questions.cursor(text, language, offset))

    def holes(self, text: str, language: str) -> tuple[Hole, ...]:
        """Candidates to be cut out of a correct file, for evaluation."""
        return self.ask(questions.holes(text, language))

    def ask(self, asked: Question[T]) -> T:
        """The answer, by indentation where the parse process gives none."""
        if not asked.askable:
            return asked.otherwise()
        fingerprint = asked.fingerprint()
        if self.record.refuses(fingerprint):
            return asked.otherwise()
        try:
            wire = self._exchange(question(asked.head(), asked.text))
        except (OSError, EOFError, ValueError):
            self._kill()
            self.record.died_of(fingerprint)
            return asked.otherwise()
        if "result" not in wire:
            self.record.gave_up_on(fingerprint)
            return asked.otherwise()
        return asked.read(wire["result"])

    def close(self) -> None:
        """End the process. The next question starts another."""
        self._kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _exchange(self, frame: bytes) -> dict[str, Any]:
        """Raises EOFError when the process ends, TimeoutError (an OSError) when it is late."""
        fresh = self._process is None
        if self._process is None:
            self._process = subprocess.Popen(
                COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            self._ending = weakref.finalize(self, _end, self._process)
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        until = time.monotonic() + self._answer_s + (START_S if fresh else 0.0)
        _write(process.stdin.fileno(), frame, until)
        length = answer_length(_read(process.stdout.fileno(), ANSWER.size, until))
        wire: dict[str, Any] = json.loads(_read(process.stdout.fileno(), length, until))
        return wire

    def _kill(self) -> None:
        if self._process is not None:
            self._process = None
            self._ending()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Also called where a `Syntax` is dropped without `close`."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _write(fd: int, data: bytes, until: float) -> None:
    view = memoryview(data)
    while view:
        if select.select((), (fd,), (), _left(until))[1]:
            view = view[os.write(fd, view[:65_536]) :]


def _read(fd: int, length: int, until: float) -> bytes:
    pieces, missing = [], length
    while missing:
        if select.select((fd,), (), (), _left(until))[0]:
            piece = os.read(fd, min(missing, 1 << 20))
            if not piece:
                raise EOFError
            pieces.append(piece)
            missing -= len(piece)
    return b"".join(pieces)
