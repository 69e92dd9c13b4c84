"""One completion at work: its prompt, its text so far, its clock. The model is not in here.

A row is what a scheduler of many would hold many of; `CodeEngine` holds one.
"""

from __future__ import annotations

from collections.abc import Callable

from glm_codegen.completion_queue import Waiting
from glm_codegen.completion_text import CompletionText
from glm_codegen.model_context import ModelContext
from glm_codegen.prompt_formats.prompt_format import Prompt
from glm_codegen.text_stream import Decodes, TextStream
from glm_protocol.answers import Chunk, End, FinishReason, Timings, TokenCounts
from glm_protocol.completion import CompletionMode
from glm_runtime.sampling import Sampler, Sampling

Clock = Callable[[], float]  # seconds, monotonic


class CompletionRow:
    """Life: made with its prompt, `prefilled` once, then `take` for each token until a finish."""

    def __init__(
        self,
        waiting: Waiting,
        model_context: ModelContext,
        prompt: Prompt,
        *,
        tokenizer: Decodes,
        stop_ids: frozenset[int],
        budget: int,
        started: float,
        clock: Clock,
    ) -> None:
        """`budget` is in tokens; `started` is when work on the prompt began."""
        request = waiting.request
        self.waiting = waiting
        self.id = request.id
        self.document = request.document
        self.last_token: int | None = None  # None: the prompt is not prefilled yet
        self.reused = 0
        self.sampler = Sampler(
            Sampling(temperature=request.temperature, top_p=request.top_p, seed=request.seed)
        )
        self._prompt = prompt
        self._stop_ids = stop_ids | prompt.stop_ids
        self._budget = budget
        self._generated = 0
        self._restore = model_context.restore
        self._stream = TextStream(tokenizer, prompt.token_ids)
        self._text = CompletionText(
            model_context.context,
            mode=prompt.mode,
            stops=(*_stop_texts(prompt), *(_unix(stop) for stop in request.stop)),
        )
        self._clock = clock
        self._started = started
        self._prompted = clock()
        self._prefilled: float | None = None
        self._first_text: float | None = None

    @property
    def expired(self) -> bool:
        return self._clock() >= self.waiting.deadline

    def take(self, token: int) -> tuple[str, FinishReason | None]:
        """Add a sampled token: the text to send now and, when it ended, why."""
        if self._prefilled is None:
            self._prefilled = self._clock()
        self.last_token = token
        if token in self._stop_ids:
            return self._given(self._text.stop_by_model()), FinishReason.STOP
        self._generated += 1
        text = self._text.add(self._stream.add(token))
        if self._text.ended:
            return self._given(text), FinishReason.STOP
        if self._generated >= self._budget:
            return self._given(text + self._text.finish()), FinishReason.LENGTH
        return self._given(text), None

    def end(
        self, finish: FinishReason, model: str, *, text: str = "", flush: bool = False
    ) -> Chunk:
        """The last chunk. `flush`: with what the stop rules still held back."""
        if flush and not self._text.ended:
            text += self._given(self._text.finish())
        now = self._clock()
        arrived = self.waiting.arrived
        prefilled = now if self._prefilled is None else self._prefilled
        first = 0.0 if self._first_text is None else self._first_text - arrived
        return Chunk(
            text=text,
            end=End(
                finish=finish,
                model=model,
                timings_ms=Timings(
                    queue=_ms(self._started - arrived),
                    prompt=_ms(self._prompted - self._started),
                    prefill=_ms(prefilled - self._prompted),
                    decode=_ms(now - prefilled),
                    first_text=_ms(first),
                    total=_ms(now - arrived),
                ),
                tokens=TokenCounts(
                    prompt=len(self._prompt.token_ids),
                    reused=self.reused,
                    generated=self._generated,
                ),
            ),
        )

    def _given(self, text: str) -> str:
        if text and self._first_text is None:
            self._first_text = self._clock()
        return self._restore(text)


def end_of_waiting(waiting: Waiting, finish: FinishReason, model: str, now: float) -> Chunk:
    """The last chunk of a request that never ran."""
    waited = _ms(now - waiting.arrived)
    timings = Timings(queue=waited, total=waited)
    return Chunk(end=End(finish=finish, model=model, timings_ms=timings))


def _stop_texts(prompt: Prompt) -> tuple[str, ...]:
    """LINE's newline is `CompletionText`'s business, which lets newlines before text pass."""
    if prompt.mode is CompletionMode.LINE:
        return tuple(stop for stop in prompt.stop_texts if stop != "\n")
    return prompt.stop_texts


def _unix(stop: str) -> str:
    return stop.replace("\r\n", "\n").replace("\r", "\n")


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 3)
