"""An answer of nano-translate as it grows: source lines forced in, whole restored lines out.

It is the row's `Chooser` and its `AnswerText` at once: it decides which tokens are the model's to
choose and which are the source's, and placeholders are control tokens, which the engine's own
stream of text leaves out. A placeholder that the outline does not have is never chosen.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from glm_codegen.translation.class_fields import ClassFields
from glm_codegen.translation.nano_format import NanoPrompt, NanoTranslateFormat
from glm_codegen.translation.restore import Restorer
from glm_runtime.causal_model import Logits, as_array
from glm_runtime.sampling import Sampler

LONGEST_CHUNK = 160  # tokens of the target for one line of the source


class OutlineAnswer:
    """One answer. `restorer.chosen` tells afterwards what each name became."""

    ended = False

    def __init__(
        self, form: NanoTranslateFormat, prompt: NanoPrompt, restorer: Restorer, sampler: Sampler
    ) -> None:
        """Everything is this row's own."""
        self.restorer = restorer
        self._form, self._sampler = form, sampler
        self._class_fields = ClassFields(target=restorer.target)
        self._lines = list(reversed(prompt.lines))
        self._forced: list[int] = []
        self._closing = False
        self._chunk = 0
        self._said: list[int] = []
        self._decoder = form.decoder()
        self._given = 0
        self._begun = False
        never = {
            form.system,
            form.answer,
            form.close,
            *form.placeholders.ids_without(prompt.outline.entries),
        }
        self._never = np.array(sorted(never))
        self._force_line()

    def _force_line(self) -> None:
        """Queue the next line of the source, or what says that there is none."""
        self._chunk = 0
        if self._lines:
            self._forced += [*self._lines.pop(), self._form.answer]
        else:
            self._forced.append(self._form.close)
            self._closing = True

    def next_token(self, logits_V: Logits) -> int:
        """See `Chooser`."""
        if self._forced:
            return self._forced.pop(0)
        form = self._form
        logits_V = as_array(logits_V).copy()
        logits_V[self._never] = -1e9
        token = self._sampler.next_token(logits_V)
        self._chunk += 1
        if self._chunk > LONGEST_CHUNK or token in (form.ask, form.end):
            if self._closing:
                return form.end
            self._force_line()
            return form.ask
        self._said.append(token)
        return token

    def add(self, piece: str) -> str:  # noqa: ARG002 - see its docstring
        """See `AnswerText`; the piece itself lacks the placeholders and is not used."""
        for token in self._said:
            self._decoder.take(token)
        self._said = []
        text = self._decoder.text[self._given :]
        whole = text.rfind("\n")
        return self._take(text[:whole]) if whole > 0 else ""

    def finish(self) -> str:
        """The last line, and what waited for it."""
        self.add("")
        last = self._take(self._decoder.text[self._given :])
        return last + self._restored(self._class_fields.finish())

    def stop_by_model(self) -> str:
        """The last line."""
        return self.finish()

    def _take(self, text: str) -> str:
        """Whole lines, each of which begins with its line end."""
        self._given += len(text)
        lines = text.removeprefix("\n").split("\n") if text else []
        return self._restored([out for line in lines for out in self._class_fields.take(line)])

    def _restored(self, lines: list[str]) -> str:
        """Lines as they are shown; the answer's very first has no line end before it."""
        if not lines:
            return ""
        first, self._begun = not self._begun, True
        return ("" if first else "\n") + "\n".join(self.restorer.line(line) for line in lines)

    def report(self) -> Mapping[str, object]:
        """Names of the source and what they became."""
        return {"names": [f"{old} = {new}" for old, new in self.restorer.chosen.items()]}
