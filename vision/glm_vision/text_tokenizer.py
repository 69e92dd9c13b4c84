"""Text to token ids for prompts, in which no text can become a special token.

A question that spells `<|end_of_text|>` or `<unk>` is encoded as those letters.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

from glm_protocol.errors import ModelUnusable

MAX_FILE_BYTES = 64 << 20


class TextTokenizer(Protocol):
    """What a processor needs; ids of specials come from the model's config."""

    def encode(self, text: str) -> list[int]:
        """Ids of the text alone, no bos."""
        ...

    def decode(self, ids: list[int]) -> str: ...


class ControlTokenizer(TextTokenizer, Protocol):
    """And what a chat of roles needs."""

    def special(self, name: str) -> int:
        """Id of a control token. Raises ModelUnusable where there is none of that name."""
        ...


class TokenizerFile:
    """A `tokenizer.json`. CogVLM-17B's repositories hold none: it is Vicuna-7B-v1.5's."""

    def __init__(self, folder: Path) -> None:
        """Raises ModelUnusable where the file is missing or broken."""
        file = folder / "tokenizer.json"
        try:
            if file.stat().st_size > MAX_FILE_BYTES:
                raise ModelUnusable(f"{file} is larger than {MAX_FILE_BYTES >> 20} MB.")
            self._tokenizer = Tokenizer.from_buffer(file.read_bytes())
        except OSError as error:
            raise ModelUnusable(
                f"{file} cannot be read ({error.strerror}).",
                remedy="Put the tokenizer.json of the model's language part into its folder.",
            ) from error
        except ValueError as error:
            raise ModelUnusable(f"{file} is no tokenizer ({error}).") from error
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def special(self, name: str) -> int:
        found: int | None = self._tokenizer.token_to_id(name)
        if found is None:
            raise ModelUnusable(f"The model's tokenizer.json has no {name}.")
        return found
