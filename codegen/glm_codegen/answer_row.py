"""One answer at work: its plan, its text so far, its clock. The model is not in here: the row's
`strand` is the decoder's, and only carried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from glm_codegen.row_plan import RowPlan
from glm_codegen.text_stream import Decodes, TextStream
from glm_codegen.waiting_requests import Waiting
from glm_protocol.answers import Chunk, End, FinishReason, Timings, TokenCounts
from glm_runtime.causal_model import Logits

if TYPE_CHECKING:
    from glm_runtime.lora_weights import LoraWeights
    from glm_runtime.strand import Strand

Clock = Callable[[], float]  # seconds, monotonic


class AnswerRow:
    """Life: made with its plan and a strand of its prompt, then `take` for each token that `choose`
    chose, until a finish.

    `again` after a finish begins the plan's next attempt at the same prompt, if there is one: its
    text is not shown, only reported.
    """

    def __init__(
        self,
        waiting: Waiting,
        plan: RowPlan,
        strand: Strand,
        *,
        tokenizer: Decodes,
        stop_ids: frozenset[int],
        started: float,
        clock: Clock,
    ) -> None:
        """`started` is when work on the prompt began; `stop_ids` are the model's own."""
        self.waiting = waiting
        self.id = waiting.request.id
        self.document = waiting.request.document
        self.tenant = waiting.tenant
        self.trigger = waiting.request.trigger
        self.place = waiting.place
        self.strand = strand
        self._lora = strand.lora
        self._reused = strand.reused
        self._tokenizer = tokenizer
        self._model_stops = stop_ids
        self._clock = clock
        self._started = started
        self._prompted = clock()
        self._prefilled: float | None = None
        self._first_text: float | None = None
        self._generated = 0
        self._attempts = 0
        self._begin(plan)

    def _begin(self, plan: RowPlan) -> None:
        self._plan = plan
        self._left = plan.budget
        self._said: list[str] = []
        self._stop_ids = self._model_stops | plan.prompt.stop_ids
        self._stream = TextStream(self._tokenizer, plan.prompt.token_ids)

    @property
    def plan(self) -> RowPlan:
        """Of the attempt at work."""
        return self._plan

    @property
    def lora(self) -> LoraWeights | None:
        return self._lora

    @property
    def shows(self) -> bool:
        """Whether its pieces are sent: only the first attempt's are."""
        return self._attempts == 0

    @property
    def expired(self) -> bool:
        return self._clock() >= self.waiting.deadline

    def choose(self, logits_V: Logits) -> int:
        """The next token. Raises EngineFailed for values that are not finite."""
        return self._plan.chooser.next_token(logits_V)

    def take(self, token: int) -> tuple[str, FinishReason | None]:
        """Add a chosen token: the text to send now and, when it ended, why."""
        if self._prefilled is None:
            self._prefilled = self._clock()
        text = self._plan.text
        if token in self._stop_ids:
            return self._given(text.stop_by_model()), FinishReason.STOP
        self._generated += 1
        self._left -= 1
        piece = text.add(self._stream.add(token))
        if text.ended:
            return self._given(piece), FinishReason.STOP
        if self._left <= 0:
            return self._given(piece + text.finish()), FinishReason.LENGTH
        return self._given(piece), None

    def again(self, finish: FinishReason) -> bool:
        """Take up the plan's next attempt, if there is one; it needs a strand of its own."""
        following = self._plan.again("".join(self._said), finish)
        if following is None:
            return False
        self._attempts += 1
        self._begin(following)
        return True

    def end(
        self, finish: FinishReason, model: str, *, text: str = "", flush: bool = False
    ) -> Chunk:
        """The last chunk. `flush`: with what the text rules still held back."""
        if flush and not self._plan.text.ended:
            rest = self._given(self._plan.text.finish())
            text += rest if self.shows else ""
        report = self._plan.report("".join(self._said), finish)
        now = self._clock()
        arrived = self.waiting.arrived
        prefilled = now if self._prefilled is None else self._prefilled
        first = 0.0 if self._first_text is None else self._first_text - arrived
        return Chunk(
            text=text,
            end=End(
                finish=finish,
                model=model,
                adapter=None if self._lora is None else self._lora.name,
                timings_ms=Timings(
                    queue=_ms(self._started - arrived),
                    prompt=_ms(self._prompted - self._started),
                    prefill=_ms(prefilled - self._prompted),
                    decode=_ms(now - prefilled),
                    first_text=_ms(first),
                    total=_ms(now - arrived),
                ),
                tokens=TokenCounts(
                    prompt=len(self._plan.prompt.token_ids),
                    reused=self._reused,
                    generated=self._generated,
                ),
                report=report,
            ),
        )

    def _given(self, text: str) -> str:
        if text and self._first_text is None:
            self._first_text = self._clock()
        self._said.append(text)
        return self._plan.restore(text)


def end_of_waiting(
    waiting: Waiting, finish: FinishReason, model: str, now: float, report: Mapping[str, Any]
) -> Chunk:
    """The last chunk of a request that never became a row."""
    waited = _ms(now - waiting.arrived)
    timings = Timings(queue=waited, total=waited)
    return Chunk(end=End(finish=finish, model=model, timings_ms=timings, report=dict(report)))


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 3)
