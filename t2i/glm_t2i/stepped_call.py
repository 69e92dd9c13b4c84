"""A long call with a callback between its steps, run as a generator.

Pipelines that are one blocking call (CogView2's stages, diffusers) run in a thread of their own
that is let go on for one step at a time: while the engine does not ask, nothing is computed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Generic, TypeVar

from glm_t2i.painting import Step

Result = TypeVar("Result")
OnStep = Callable[[int, int], None]


class Abandoned(BaseException):
    """Raised inside the call when its generator was closed; not caught by `except Exception`."""


class SteppedCall(Generic[Result]):
    """`call` gets a function to be called with (steps done, steps in all) between steps."""

    def __init__(self, call: Callable[[OnStep], Result]) -> None:
        self._call = call
        self._go, self._there = threading.Semaphore(0), threading.Semaphore(0)
        self._step: Step | None = None
        self._result: list[Result] = []
        self._error: BaseException | None = None
        self._closed = False

    @property
    def result(self) -> Result:
        """What the call gave, after `run` came to its end."""
        return self._result[0]

    def run(self) -> Generator[Step, None, Result]:
        """Steps; the generator's value is the call's. Raises what the call raises."""
        thread = threading.Thread(target=self._work, name="stepped-call", daemon=True)
        thread.start()
        try:
            while True:
                self._step = None
                self._go.release()
                self._there.acquire()
                step = self._came()
                if step is None:
                    break
                yield step
        finally:
            self._closed = True
            self._go.release()
            thread.join()
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _came(self) -> Step | None:
        return self._step

    def _work(self) -> None:
        try:
            self._go.acquire()
            self._result.append(self._call(self._on_step))
        except BaseException as error:  # noqa: BLE001 - handed to the one who waits
            self._error = error
        finally:
            self._step = None
            self._there.release()

    def _on_step(self, step: int, steps: int) -> None:
        if self._closed:
            raise Abandoned
        self._step = Step(step=step, steps=steps)
        self._there.release()
        self._go.acquire()
        if self._closed:
            raise Abandoned


def as_part(
    steps: Generator[Step, None, Result], more: int, *, done: int = 0
) -> Generator[Step, None, Result]:
    """The same steps as part of `more` others, `done` of which came before; its value is theirs."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            value: Result = end.value
            return value
        yield replace(step, step=step.step + done, steps=step.steps + more)
