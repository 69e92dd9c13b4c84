"""Placeholders: names, texts and long numbers as single tokens that a small model only copies.

In text a placeholder is one private-use character, `MARK + number`; in ids it is one of the
tokenizer's reserved control tokens. A placeholder's id carries the space before it: whether there
is one follows from what stands before (`needs_space`), and the rare exceptions are spelled out, a
space as a space, a missing one as `<sop>`. So most placeholders cost one token, and the text
comes back exactly.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer

MARK = 0xE000
GLUE = "<sop>"
_SPLIT = re.compile(r"((?:(?<=\S) )?[\ue000-\ue0ff])")
_NO_SPACE_AFTER = frozenset("([{.!~@\n\t ")
_UNARY_BEFORE = frozenset("([{=,:<>+-*/%&|?!")


def mark(number: int) -> str:
    """The character that stands for placeholder `number` in text."""
    return chr(MARK + number)


def is_mark(character: str) -> bool:
    """Whether a character is a placeholder."""
    return MARK <= ord(character) < MARK + 256


def _inside_text(line: str) -> bool:
    """Whether a line ends inside quotes. Texts never hold quotes here: they are placeholders."""
    return any(line.count(quote) % 2 for quote in "\"'`")


def needs_space(before: str) -> bool:
    """Whether a name after `before` is written with a space, by default."""
    if not before or before[-1] in _NO_SPACE_AFTER:
        return False
    line = before[before.rfind("\n") + 1 :]
    if _inside_text(line):
        return False
    last = line[-1:]
    if last in "0." or line.endswith(("->", "::", "++", "--")):
        return False
    if last in "-+*&" and line[:-1].endswith(" "):
        rest = line[:-1].rstrip()
        return bool(rest) and rest[-1] not in _UNARY_BEFORE and not rest.endswith("return")
    return True


class PlaceholderTokens:
    """The reserved tokens of a tokenizer, used as placeholders."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        """Look the reserved tokens up. Raises ValueError where there are none."""
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        while (found := tokenizer.control_id(f"<|reserved_{len(self._ids)}|>")) is not None:
            self._ids.append(found)
        glue = tokenizer.control_id(GLUE)
        if not self._ids or glue is None:
            raise ValueError("the tokenizer has no reserved tokens, which placeholders need")
        self._glue = glue
        self._numbers = {token: number for number, token in enumerate(self._ids)}

    @property
    def count(self) -> int:
        """How many different placeholders there are."""
        return len(self._ids)

    def encode(self, text: str) -> list[int]:
        """Ids of text with placeholders."""
        ids: list[int] = []
        parts = _SPLIT.split(text)
        before = ""
        for part in parts:
            if part and is_mark(part[-1]):
                spaced, wanted = part[0] == " ", needs_space(before)
                if wanted and not spaced:
                    ids.append(self._glue)
                elif spaced and not wanted:
                    ids += self._tokenizer.encode(" ")
                ids.append(self._ids[ord(part[-1]) - MARK])
            elif part:
                ids += self._tokenizer.encode(part)
            before += part
        return ids

    def ids_without(self, numbers: Container[int]) -> list[int]:
        """Ids of the placeholders that are not among `numbers`."""
        return [token for number, token in enumerate(self._ids) if number not in numbers]

    def decoder(self) -> PlaceholderDecoder:
        """A new decoder of one answer."""
        return PlaceholderDecoder(self._tokenizer, self._numbers, self._glue)

    def decode(self, ids: Sequence[int]) -> str:
        """Text with placeholders of ids."""
        decoder = self.decoder()
        for token in ids:
            decoder.take(token)
        return decoder.text


class PlaceholderDecoder:
    """Turns ids into text with placeholders, one at a time."""

    def __init__(self, tokenizer: TextTokenizer, numbers: dict[int, int], glue: int) -> None:
        """`numbers` gives the placeholder of an id."""
        self._tokenizer, self._numbers, self._glue = tokenizer, numbers, glue
        self._glued = False
        self._pending: list[int] = []
        self.text = ""

    def take(self, token: int) -> None:
        """Take the next id; `text` holds what is known so far."""
        if token == self._glue:
            self._glued = True
        elif token in self._numbers:
            self._pending = []
            space = "" if self._glued or not needs_space(self.text) else " "
            self.text += space + mark(self._numbers[token])
            self._glued = False
        else:
            self._pending.append(token)
            piece = self._tokenizer.decode(self._pending)
            if not piece.endswith("\ufffd"):
                self.text += piece
                self._pending = []
            self._glued = False
