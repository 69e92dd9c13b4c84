"""A cursor in the middle of a word: the model starts at the word, the typed letters are given.

Models were trained on text cut into tokens at words, and half a word is cut into tokens that a
whole one never has. So the prompt ends before the word, only tokens that agree with the typed
letters are chosen until they are spelled out, and those letters are not shown again. While a
person types a word the prompt stays the same, too, and so does the KV cache.
"""

from __future__ import annotations

import re
from dataclasses import replace

from glm_codegen.row_plan import AnswerText
from glm_codegen.vocabulary import Vocabulary
from glm_protocol.completion import CodeContext

_WORD = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)  # other letters may be parts of tokens
LONGEST = 40  # letters; a longer word is taken as it stands


def roll_back(context: CodeContext, vocabulary: Vocabulary) -> tuple[CodeContext, str]:
    """The context up to the word at the cursor, and the letters typed of it.

    "" where there is none, or where the vocabulary knows no words (nothing to heal) or not every
    letter.
    """
    found = _WORD.search(context.prefix[-LONGEST - 1 :])
    typed = found.group() if found else ""
    if not typed or len(typed) > LONGEST or not vocabulary.can_heal(typed):
        return context, ""
    return replace(context, prefix=context.prefix[: -len(typed)]), typed


class HealedText:
    """Passes on what comes after the typed letters."""

    def __init__(self, typed: str, text: AnswerText) -> None:
        self._left = typed
        self._text = text

    @property
    def ended(self) -> bool:
        return self._text.ended

    def add(self, piece: str) -> str:
        given = min(len(self._left), len(piece))
        self._left = self._left[given:]
        return self._text.add(piece[given:]) if piece[given:] else ""

    def finish(self) -> str:
        return self._text.finish()

    def stop_by_model(self) -> str:
        return self._text.stop_by_model()
