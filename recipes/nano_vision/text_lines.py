"""Lines of text to draw: code, terminal lines, error lines, and noise that no language explains.

Code comes from the corpus of nano-code (permissive licences, each recorded there).
"""

from __future__ import annotations

import io
import json
import random
import string
from pathlib import Path

import zstandard

from glm_vision.drawn.error_lines import error_line
from glm_vision.reading_view import COLUMNS

CORPUS = Path(__file__).parent.parent / "out" / "nano_code" / "corpus"
_KEPT = 60_000
_PRINTABLE = string.printable[:94]


def read_code_lines(split: str = "train") -> list[str]:
    """Printable lines of a sample of the corpus; tabs become four blanks."""
    chooser = random.Random(0)
    found: list[str] = []
    with (CORPUS / f"{split}.jsonl.zst").open("rb") as stream:
        reader = zstandard.ZstdDecompressor().stream_reader(stream)
        for number, line in enumerate(io.TextIOWrapper(reader, encoding="utf-8")):
            if number % 7:
                continue
            for text in json.loads(line)["text"].expandtabs(4).splitlines():
                if text.strip() and text.isascii() and text.isprintable() and len(text) < 120:
                    found.append(text.rstrip())
            if len(found) > 8 * _KEPT:
                break
    return chooser.sample(found, min(_KEPT, len(found)))


class LineSource:
    """Lines of at most COLUMNS characters, without blanks at the end."""

    def __init__(self, code: list[str], chooser: random.Random) -> None:
        self.code, self.chooser = code, chooser

    def line(self) -> str:
        """Never empty."""
        choice = self.chooser.random()
        if choice < 0.55:
            text = self._code()
        elif choice < 0.65:
            text = self.chooser.choice(self.code).strip()
        elif choice < 0.8:
            text = error_line(self.chooser)
        else:
            text = self._noise()
        if len(text) > COLUMNS and self.chooser.random() < 0.5:  # the later segment of a line
            start = self.chooser.randrange(len(text) - COLUMNS)
            text = text[start:]
        return text[:COLUMNS].rstrip() or "x"

    def _code(self) -> str:
        text = self.chooser.choice(self.code)
        indent = len(text) - len(text.lstrip())
        return text[max(0, indent - 4 * self.chooser.randrange(4)) :]

    def _noise(self) -> str:
        length = self.chooser.randrange(1, COLUMNS + 1)
        text = "".join(self.chooser.choice(_PRINTABLE) for _ in range(length))
        gaps = self.chooser.randrange(6)
        for _ in range(gaps):
            at = self.chooser.randrange(len(text))
            text = text[:at] + " " + text[at + 1 :]
        return text
