"""Text to ids by the sentencepiece model that comes with CogView, or with icetk.

CogView's pieces stand behind its 8,192 codes; icetk's behind its 20,000. The `.model` files are
downloads of their own with their own terms; none is bundled. Reading them needs the
`sentencepiece` package, which nothing else here does.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from glm_protocol.errors import ModelUnusable, Unsupported


class TextPieces:
    """`first_id`: the id of piece 0."""

    def __init__(self, file: Path, *, first_id: int) -> None:
        """Raises Unsupported without the package, ModelUnusable on a file it cannot read."""
        try:
            library: Any = importlib.import_module("sentencepiece")
        except ImportError as error:
            raise Unsupported(
                "This model's text needs the package sentencepiece.",
                remedy="Install it: pip install sentencepiece.",
            ) from error
        if not file.is_file():
            raise ModelUnusable(f"There is no text tokenizer {file}.")
        try:
            self._pieces = library.SentencePieceProcessor(model_file=str(file))
        except (OSError, RuntimeError) as error:
            raise ModelUnusable(f"{file} is not a sentencepiece model.") from error
        self._first_id = first_id

    def encode(self, text: str) -> list[int]:
        pieces: list[int] = self._pieces.encode(text)
        return [piece + self._first_id for piece in pieces]

    def decode(self, ids: list[int]) -> str:
        """Raises ValueError on an id below the first piece."""
        pieces = [token - self._first_id for token in ids]
        if any(piece < 0 for piece in pieces):
            raise ValueError(f"ids below {self._first_id} are no text")
        return str(self._pieces.decode(pieces))
