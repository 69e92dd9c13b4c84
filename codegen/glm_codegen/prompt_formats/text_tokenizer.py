"""A tokenizer that keeps text and control tokens apart; not a place that knows any format.

Text of files comes from strangers: a file that holds the characters `<|endoftext|>` must not end
a prompt. So text is encoded by a copy of the tokenizer that cannot match control tokens, and
control tokens are only ever inserted by id.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

REMEMBERED = 512  # texts whose ids are kept: the parts of some dozen prompts


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
        self._opening = _opening(tokenizer, frozenset(self._control.values()))
        stored["post_processor"] = None
        stored["truncation"] = stored["padding"] = None
        self._tokenizer = _text_only(stored)
        self._inside = _text_only(stored) if _drop_dummy_space(stored) else self._tokenizer
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

    @property
    def control_names(self) -> Collection[str]:
        """Names of all control tokens."""
        return self._control.keys()

    @property
    def opening_ids(self) -> tuple[int, ...]:
        """Control tokens that the tokenizer itself puts in front of every text, such as `<s>`."""
        return self._opening

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, none of them a control token."""
        return list(self._remembered(text, False))

    def encode_inside(self, text: str) -> list[int]:
        """Ids of `text` where it goes on a prompt: without the space that some tokenizers put
        in front of a text as a whole."""
        return list(self._remembered(text, True))

    def encode_once(self, text: str) -> list[int]:
        """As `encode`, of a text that will not come again: it takes nobody's place."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _encode(self, text: str, inside: bool) -> array[int]:
        chosen = self._inside if inside else self._tokenizer
        return array("I", chosen.encode(text, add_special_tokens=False).ids)  # a ninth of a list

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, as `encode` gives them, on all cores."""
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [list(encoding.ids) for encoding in found]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`; control tokens come out as nothing."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))


def _text_only(stored: dict[str, Any]) -> Tokenizer:
    """A tokenizer that matches no control token in a text."""
    tokenizer = Tokenizer.from_str(json.dumps(stored))
    tokenizer.encode_special_tokens = True
    return tokenizer


def _opening(tokenizer: Tokenizer, control: frozenset[int]) -> tuple[int, ...]:
    """What the post-processor puts in front: leading control tokens of an encoded text."""
    ids = tokenizer.encode("a", add_special_tokens=True).ids
    count = next((place for place, token in enumerate(ids) if token not in control), 0)
    return tuple(ids[:count])


def _drop_dummy_space(stored: dict[str, Any]) -> bool:
    """Take the dummy space out of a stored tokenizer, in place; False where there is none."""
    dropped = False
    normalizer, pre_tokenizer = stored.get("normalizer"), stored.get("pre_tokenizer")
    for holder, steps in ((normalizer, "normalizers"), (pre_tokenizer, "pretokenizers")):
        for step in (holder or {}).get(steps, [holder] if holder else []):
            match step["type"]:
                case "Prepend":
                    step["prepend"], dropped = "", True
                case "Metaspace" if step.get("prepend_scheme", "always") != "never":
                    step["prepend_scheme"], dropped = "never", True
                    step.pop("add_prefix_space", None)
                case "ByteLevel" if step.get("add_prefix_space"):
                    step["add_prefix_space"], dropped = False, True
    return dropped
