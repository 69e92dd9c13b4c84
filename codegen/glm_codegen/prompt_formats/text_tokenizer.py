"""A tokenizer that keeps text and control tokens apart; not a place that knows any format.

Text of files comes from strangers: a file that holds the characters `<|endoftext|>` must not end
a prompt. So text is encoded by a copy of the tokenizer that cannot match control tokens, and
control tokens are only ever inserted by id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer

REMEMBERED = 128  # texts whose ids are kept


class TextTokenizer:
    """Encodes text as text, decodes any ids, and looks control tokens up by name."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Wrap a copy of `tokenizer`; the caller's own stays as it is."""
        stored = json.loads(tokenizer.to_str())
        self._control: dict[str, int] = {}
        for token in stored["added_tokens"]:
            # An added token that is more than white space is a control token, whatever its flag.
            token["special"] = token["special"] or bool(token["content"].strip())
            if token["special"]:
                self._control[token["content"]] = token["id"]
        stored["post_processor"] = None
        stored["truncation"] = stored["padding"] = None
        self._tokenizer = Tokenizer.from_str(json.dumps(stored))
        self._tokenizer.encode_special_tokens = True
        # While a person types, all parts of a prompt but the prefix stay the same.
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._encode)

    @classmethod
    def from_folder(cls, folder: Path) -> TextTokenizer:
        """Read `tokenizer.json` of a model folder."""
        return cls(Tokenizer.from_file(str(folder / "tokenizer.json")))

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, control tokens included."""
        return int(self._tokenizer.get_vocab_size())

    def control_id(self, name: str) -> int | None:
        """Id of a control token such as `<|user|>`; None when the tokenizer has none."""
        return self._control.get(name)

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, none of them a control token."""
        return list(self._remembered(text))

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, as `encode` gives them, on all cores."""
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [list(encoding.ids) for encoding in found]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`; control tokens come out as nothing."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))
