"""Tokens become text one by one, never with half a character.

A character may be spread over tokens; what is not whole decodes to U+FFFD and is held back until
it is. Bytes that never make a character are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

BROKEN = "\ufffd"
_CONTEXT = 4  # tokens decoded before the new ones: some decoders strip a leading space


class Decodes(Protocol):
    """The part of a tokenizer that is needed here."""

    def decode(self, ids: Sequence[int]) -> str: ...


class TextStream:
    """The text of one completion as it grows; `prompt` gives the decoder its context."""

    def __init__(self, tokenizer: Decodes, prompt: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._ids = list(prompt[-_CONTEXT:])
        self._shown = len(self._ids)  # tokens whose text was given

    def add(self, token: int) -> str:
        """The text that became whole with this token; often "" inside a character."""
        self._ids.append(token)
        before = self._tokenizer.decode(self._ids[: self._shown])
        after = self._tokenizer.decode(self._ids)
        if after.endswith(BROKEN) or len(after) < len(before):
            return ""
        if len(self._ids) > 4 * _CONTEXT:
            del self._ids[: -2 * _CONTEXT]
        self._shown = len(self._ids)
        return after[len(before) :].replace(BROKEN, "")
