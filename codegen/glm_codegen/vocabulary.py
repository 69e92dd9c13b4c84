"""The texts of a tokenizer's ids, and which ids can stand at a place where text is given already.

For token healing (the letters typed before the cursor must come first) and for memory (a token
that was met with its leading space continues a text that ends with one).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer

_BROKEN = "\ufffd"
_ENDS = 1024  # texts whose last ids are kept: typing through a suggestion asks for them again
_LEADS = 256  # texts for which it is known what may come first
_ANCHOR = "x"  # some decoders strip a space at the start


class Vocabulary:
    """Read on first use: a large vocabulary takes some tenths of a second."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._cut: dict[tuple[int, str], int | None] = {}
        self.ends_of = lru_cache(maxsize=_ENDS)(self._ends_of)
        self.leading_to = lru_cache(maxsize=_LEADS)(self._leading_to)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Text of every id; "" for control tokens and for parts of a character."""
        anchor = self._tokenizer.encode(_ANCHOR)
        before = len(self._tokenizer.decode(anchor))
        found = []
        for number in range(self._tokenizer.vocabulary_size):
            text = self._tokenizer.decode([*anchor, number])[before:]
            found.append("" if _BROKEN in text else text)
        return tuple(found)

    def encode(self, text: str) -> list[int]:
        """Ids of a text, as the tokenizer cuts it; not remembered."""
        return self._tokenizer.encode_once(text)

    def _ends_of(self, text: str, count: int) -> tuple[int, ...]:
        """The last `count` ids of a text."""
        return tuple(self.encode(text)[-count:])

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text."""
        return self._tokenizer.encode_many(texts)

    @cached_property
    def newlines(self) -> NDArray[np.bool_]:
        """Which ids begin with a newline."""
        return np.asarray([text.startswith("\n") for text in self.texts])

    def can_heal(self, word: str) -> bool:
        """Whether tokens hold more than single letters, and every letter of `word` is one."""
        return self._has_words and self.can_spell(word)

    def can_spell(self, text: str) -> bool:
        """Whether every letter of `text` begins some token."""
        return all(len(self.leading_to(letter)) for letter in set(text))

    @cached_property
    def _has_words(self) -> bool:
        return any(len(text) > 1 and text.isalpha() for text in self.texts)

    @cached_property
    def _sorted(self) -> tuple[list[str], list[int]]:
        pairs = sorted((text, number) for number, text in enumerate(self.texts) if text)
        return [text for text, _ in pairs], [number for _, number in pairs]

    def _leading_to(self, text: str) -> NDArray[np.int64]:
        """Ids that may come first where `text` has to come: each begins with it or begins it."""
        words, ids = self._sorted
        begin = bisect_left(words, text)
        end = bisect_left(words, text + chr(0x10FFFF), begin)
        found = ids[begin:end]
        for length in range(1, len(text)):
            at = bisect_left(words, text[:length])
            while at < len(words) and words[at] == text[:length]:
                found.append(ids[at])
                at += 1
        return np.asarray(sorted(found), np.int64)

    def after(self, token: int, given: str) -> int | None:
        """The id that goes on where `given`, the start of the token's text, stands already.

        None where the token's text does not go on from `given`.
        """
        key = (token, given)
        if key not in self._cut:
            text = self.texts[token]
            rest = text[len(given) :] if text.startswith(given) else ""
            ids = self._tokenizer.encode(rest) if rest else []
            self._cut[key] = ids[0] if ids else None
        return self._cut[key]
