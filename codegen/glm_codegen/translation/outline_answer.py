"""An answer of nano-translate as it grows: source lines forced in, whole restored lines out.

It is the row's `Chooser` and its `AnswerText` at once: it decides which tokens are the model's to
choose and which are the source's, and placeholders are control tokens, which the engine's own
stream of text leaves out. A placeholder that the outline does not have is never chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glm_codegen.translation.body_comments import NotePlacer
from glm_codegen.translation.class_fields import ClassFields, put_together
from glm_codegen.translation.line_faults import faults, unclosed
from glm_codegen.translation.nano_format import NanoPrompt, NanoTranslateFormat
from glm_codegen.translation.restore import Restorer
from glm_codegen.translation.type_faults import TypeLedger
from glm_runtime.causal_model import Logits, as_array
from glm_runtime.sampling import Sampler

LONGEST_CHUNK = 160  # tokens of the target for one line of the source
RIVALS = 4  # next best tokens that are remembered of each choice


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One choice of the model: where it was made, and the next best tokens with the score of the
    answer that takes them.

    `at` counts tokens after the prompt, `line` lines of the source; scores are log chances.
    """

    at: int
    line: int
    rivals: tuple[tuple[int, float], ...]


class OutlineAnswer:
    """One answer. `restorer.chosen` tells afterwards what each name became.

    tokens: all after the prompt, forced ones too. turns: the model's choices. score: the log
    chance of them all. faulty: faults by line of the source (`line_faults`, `type_faults`).
    bar: a line, and the faults with which it is not worth going on.
    """

    def __init__(
        self, form: NanoTranslateFormat, prompt: NanoPrompt, restorer: Restorer, sampler: Sampler
    ) -> None:
        """Everything is this row's own."""
        self.restorer = restorer
        self.tokens: list[int] = []
        self.turns: list[Turn] = []
        self.score = 0.0
        self.faulty: dict[int, int] = {}
        self.bar: tuple[int, int] | None = None
        self.ended = False
        self._form, self._sampler, self._outline = form, sampler, prompt.outline
        self._class_fields = ClassFields(target=restorer.target)
        self._notes = NotePlacer(restorer.target, self._class_fields.moves)
        self._noted = prompt.notes
        self._lines = list(reversed(prompt.lines))
        self._forced: list[int] = []
        self._closing = False
        self._chunk = 0
        self._line, self._answered = -1, 0
        self._types = TypeLedger(restorer.source, restorer.target, prompt.outline.texts)
        self._decoder = form.decoder()
        self._judged = self._given = 0
        self._begun = False
        never = {
            form.system,
            form.answer,
            form.close,
            *form.placeholders.ids_without(prompt.outline.shown),
        }
        self._never = np.array(sorted(never))
        self._force_line()

    def _force_line(self) -> None:
        """Queue the next line of the source, or what says that there is none."""
        self._chunk = 0
        self._line += 1
        self._notes.expect(len(self._decoder.text), self._noted.get(self._line, ()))
        if self._lines:
            self._forced += [*self._lines.pop(), self._form.answer]
        else:
            self._forced.append(self._form.close)
            self._closing = True

    @property
    def source(self) -> str:
        """See `Guesses`: what is forced can be computed at once."""
        return "source line"

    def propose(self, said: Sequence[int], most: int) -> Sequence[int]:  # noqa: ARG002
        """See `Guesses`."""
        return self._forced[:most]

    def follow(self, tokens: Sequence[int], score: float) -> None:
        """Take up another answer's beginning, whose choices together had this score."""
        for token in tokens:
            self._go_on(self._forced.pop(0) if self._forced else self._chosen(token))
        self.score = score

    def next_token(self, logits_V: Logits) -> int:
        """See `Chooser`."""
        if self._forced:
            return self._go_on(self._forced.pop(0))
        logits_V = as_array(logits_V).copy()
        logits_V[self._never] = -1e9
        token = self._sampler.next_token(logits_V)
        logits_V -= logits_V.max()
        logits_V -= float(np.log(np.exp(logits_V).sum()))
        near = np.argpartition(logits_V, -RIVALS - 1)[-RIVALS - 1 :]
        rivals = ((int(one), self.score + float(logits_V[one])) for one in near if one != token)
        self.turns.append(Turn(at=len(self.tokens), line=self._line, rivals=tuple(rivals)))
        self.score += float(logits_V[token])
        return self._go_on(self._chosen(token))

    def _go_on(self, token: int) -> int:
        self.tokens.append(token)
        return token

    def _chosen(self, token: int) -> int:
        """A token of the model; the end of a line's translation brings the next line."""
        form = self._form
        self._chunk += 1
        if self._chunk <= LONGEST_CHUNK and token not in (form.ask, form.end):
            self._decoder.take(token)
            return token
        self._judge()
        if self._closing:
            return form.end
        self._force_line()
        return form.ask

    def _judge(self) -> None:
        """Look at what was said of the lines since the last that had a translation."""
        said = self._decoder.text[self._judged :]
        if self._closing and self.restorer.target != "python":
            whole = put_together(self._decoder.text, self.restorer.target)
            if left_open := unclosed(whole):
                self.faulty[self._line] = left_open
        if not said.strip():
            return
        self._judged = len(self._decoder.text)
        source = self._outline.lines[self._answered : self._line + 1]
        self._answered = self._line + 1
        lines = "\n".join(source)
        titles, target = self._outline.titles, self.restorer.target
        found = faults(lines, said, always=titles, target=target, comments=self._outline.comments)
        found += self._types.faults(lines, said.removeprefix("\n"))
        if found:
            self.faulty[self._line] = self.faulty.get(self._line, 0) + found
        self.ended = self.bar is not None and self.bar[0] == self._line and found >= self.bar[1]

    def add(self, piece: str) -> str:  # noqa: ARG002 - see its docstring
        """See `AnswerText`; the piece itself lacks the placeholders and is not used."""
        text = self._decoder.text[self._given :]
        whole = text.rfind("\n")
        return self._take(text[:whole]) if whole > 0 else ""

    def finish(self) -> str:
        """The last line, and what waited for it."""
        self.add("")
        last = self._take(self._decoder.text[self._given :])
        rest = self._notes.finish()
        rest = [out for line in rest for out in self._class_fields.take(line)]
        return last + self._restored([*rest, *self._class_fields.finish()])

    def stop_by_model(self) -> str:
        """The last line."""
        return self.finish()

    def _take(self, text: str) -> str:
        """Whole lines, each of which begins with its line end."""
        shown: list[str] = []
        start, self._given = self._given, self._given + len(text)
        for line in text.removeprefix("\n").split("\n") if text else ():
            for out in self._notes.place(start, line):
                shown += self._class_fields.take(out)
            start += len(line) + 1
        return self._restored(shown)

    def _restored(self, lines: list[str]) -> str:
        """Lines as they are shown; the answer's very first has no line end before it."""
        if not lines:
            return ""
        first, self._begun = not self._begun, True
        return ("" if first else "\n") + "\n".join(self.restorer.line(line) for line in lines)

    def report(self) -> Mapping[str, object]:
        """Names of the source and what they became."""
        return {"names": [f"{old} = {new}" for old, new in self.restorer.chosen.items()]}
