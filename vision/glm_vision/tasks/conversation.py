"""Questions to a model inside one request: what a task is given to work with.

A task is a generator. It yields pieces of text that go out at once (an empty piece means that
some work was done and the engine may look around), and returns an `Outcome`. Closing it stops
the model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from glm_protocol.answers import FinishReason
from glm_vision.token_stream import Sampling
from glm_vision.vision_model import Turn, VisionModel

Piece = str


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture as it is worked on; `width`, `height` are those of the source, for boxes."""

    image: Image.Image
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a task found. `text` is the whole answer; what of it was not yielded yet goes out last.

    `valid` is None where there is nothing to check it by. `details` are JSON values.
    """

    text: str
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    valid: bool | None = None
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


Task = Generator[Piece, None, Outcome]


class OutOfTime(Exception):
    """The request's deadline has passed; what is there already is the answer."""


@dataclass(kw_only=True)
class Conversation:
    """One request's turns so far, and the counts of what was spent on it."""

    model: VisionModel
    turns: tuple[Turn, ...]  # of the request; the last is the user's
    pictures: tuple[Picture, ...]  # of all turns, in order
    sampling: Sampling
    stop: tuple[str, ...] = ()
    deadline: float = float("inf")
    clock: Callable[[], float] = time.monotonic
    finish: FinishReason = FinishReason.STOP
    prompt_tokens: int = 0
    image_tokens: int = 0
    generated: int = 0
    first_token: float | None = None  # by the clock

    @property
    def question(self) -> str:
        return self.turns[-1].text.strip()

    def ask(self, turns: Sequence[Turn], *, live: bool) -> Generator[Piece, None, str]:
        """One answer; `live` yields its text as it grows. Raises OutOfTime."""
        ids: list[int] = []
        shown = ""
        for tokens in self._tokens([turns], self.sampling):
            if tokens is None:
                yield ""
                continue
            if tokens[0] in self.model.stop_ids:
                continue
            ids.append(tokens[0])
            text = self.model.decode(ids)
            cut = min((at for stop in self.stop if (at := text.find(stop)) >= 0), default=-1)
            if cut >= 0:
                text = text[:cut]
            sure = len(text) - self._held_back(text) if cut < 0 else len(text)
            piece = "" if text.endswith("\ufffd") else text[len(shown) : sure]
            shown += piece
            yield piece if live else ""
            if cut >= 0:
                return text
        if len(ids) >= self.sampling.max_tokens:
            self.finish = FinishReason.LENGTH
        text = self.model.decode(ids)
        if live and len(text) > len(shown):
            yield text[len(shown) :]
        return text

    def _held_back(self, text: str) -> int:
        """Characters at the end that may turn out to begin a stop word."""
        return max(
            (
                length
                for stop in self.stop
                for length in range(1, len(stop))
                if text.endswith(stop[:length])
            ),
            default=0,
        )

    def ask_all(
        self, rows: Sequence[Sequence[Turn]], *, max_tokens: int
    ) -> Generator[Piece, None, list[str]]:
        """Several short answers at once, each greedy. Raises OutOfTime."""
        ids: list[list[int]] = [[] for _ in rows]
        done = [False] * len(rows)
        for tokens in self._tokens(rows, Sampling(max_tokens=max_tokens)):
            yield ""
            for number, token in enumerate(tokens or ()):
                done[number] = done[number] or token in self.model.stop_ids
                if not done[number]:
                    ids[number].append(token)
        return [self.model.decode(row) for row in ids]

    def _tokens(
        self, rows: Sequence[Sequence[Turn]], sampling: Sampling
    ) -> Generator[list[int] | None, None, None]:
        """None once, when the prompt is on its way, then the tokens of each step."""
        started = self.model.start(rows, sampling)
        try:
            self.prompt_tokens += started.prompt_tokens
            self.image_tokens += started.image_tokens
            yield None
            while (tokens := started.tokens.next()) is not None:
                if self.first_token is None:
                    self.first_token = self.clock()
                self.generated += len(tokens)
                if self.clock() >= self.deadline:
                    raise OutOfTime
                yield tokens
        finally:
            started.tokens.close()
