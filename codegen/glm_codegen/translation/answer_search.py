"""Further attempts at the lines of a translation that speak against themselves.

The first attempt is greedy and is shown while it grows. Where a line of it has faults
(`line_faults`, `type_faults`), the likeliest other choice in that line is taken and the line
written anew, until one has fewer; the rest follows. What stands before is computed already. The
whole answer with the fewest faults, then the likeliest, is the translation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from glm_codegen.prompt_formats.prompt_format import PromptPiece
from glm_codegen.translation.outline_answer import OutlineAnswer
from glm_protocol.answers import FinishReason

if TYPE_CHECKING:
    from glm_codegen.row_plan import RowPlan

ATTEMPTS = 48  # at a unit
AT_A_LINE = 16
FARTHEST = 9.0  # nats below the best answer that a beginning may be
FAULT = 8.0  # what a fault counts for beside log chances


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An answer that ended, with its text."""

    answer: OutlineAnswer
    text: str
    ended: bool

    @property
    def worth(self) -> float:
        """More is better."""
        spoilt = 0.0 if self.ended and not self.answer.ended else 1000.0
        return self.answer.score - FAULT * sum(self.answer.faulty.values()) - spoilt


@dataclass(kw_only=True)
class AnswerSearch:
    """The attempts at one unit. `begin` makes an answer with nothing said."""

    begin: Callable[[], OutlineAnswer]
    plan: Callable[[OutlineAnswer], RowPlan]
    most: int = ATTEMPTS
    _answer: OutlineAnswer = field(init=False)
    _attempts: list[Attempt] = field(default_factory=list)
    _tried: set[tuple[int, ...]] = field(default_factory=set)
    _tries: dict[int, int] = field(default_factory=dict)
    _chosen: int = 0  # tokens that the model chose, in all attempts

    def first(self) -> RowPlan:
        """The plan of the first attempt."""
        self._answer = self.begin()
        return self._planned(self._answer)

    def _planned(self, answer: OutlineAnswer) -> RowPlan:
        plan = self.plan(answer)
        before, begun = plan.prompt, tuple(answer.tokens)
        piece = PromptPiece(source="begun", tokens=len(begun))
        return replace(
            plan,
            prompt=replace(
                before, token_ids=before.token_ids + begun, pieces=(*before.pieces, piece)
            ),
            budget=plan.budget - len(begun),
            guesses=(answer,),
            again=self.again,
            report=self.report,
        )

    def _take(self, text: str, finish: FinishReason) -> None:
        if not self._attempts or self._attempts[-1].answer is not self._answer:
            ended = finish is FinishReason.STOP
            self._attempts.append(Attempt(answer=self._answer, text=text, ended=ended))
            self._chosen += len(self._answer.turns)

    @property
    def best(self) -> Attempt:
        """The attempt that is the translation."""
        return max(self._attempts, key=lambda attempt: attempt.worth)

    def again(self, text: str, finish: FinishReason) -> RowPlan | None:
        """See `RowPlan.again`."""
        self._take(text, finish)
        best = self.best.answer
        if len(self._attempts) >= self.most:
            return None
        for line in sorted(best.faulty):
            if self._tries.get(line, 0) < AT_A_LINE and (found := self._next(best, line)):
                beginning, score = found
                following = self.begin()
                following.follow(beginning, score)
                following.bar = (line, best.faulty[line])
                self._tries[line] = self._tries.get(line, 0) + 1
                self._tried.add(beginning)
                self._answer = following
                return self._planned(following)
        return None

    def _next(self, best: OutlineAnswer, line: int) -> tuple[tuple[int, ...], float] | None:
        """The likeliest beginning that differs from all before in this line, with its score."""
        start = next((turn.at for turn in best.turns if turn.line == line), 0)
        before, found = best.tokens[:start], list[tuple[float, tuple[int, ...]]]()
        for attempt in self._attempts:
            answer = attempt.answer
            if answer.tokens[:start] != before:
                continue
            for turn in answer.turns:
                for token, score in turn.rivals if turn.line == line else ():
                    found.append((score, (*answer.tokens[: turn.at], token)))
        for score, beginning in sorted(found, reverse=True):
            if score > best.score - FARTHEST and beginning not in self._tried:
                return beginning, score
        return None

    def report(self, text: str, finish: FinishReason) -> Mapping[str, object]:
        """The translation that was chosen, its names, and what still speaks against it."""
        self._take(text, finish)
        best = self.best
        return {
            **best.answer.report(),
            "text": best.text,
            "attempts": len(self._attempts),
            "faults": sum(best.answer.faulty.values()),
            "chosen_tokens": self._chosen,
        }
