"""What every converted tokenizer is: a `tokenizer.json`, its config, and ids for the model's.

No text can become a control token: `split_special_tokens` makes transformers encode the
characters `<|endoftext|>` as characters, and the prompt formats insert control tokens by id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tokenizers import Tokenizer


@dataclass(frozen=True, kw_only=True, slots=True)
class ConvertedTokenizer:
    """`special_ids` holds every control token by name; the four roles name some of them."""

    kind: str
    tokenizer: Tokenizer
    special_ids: Mapping[str, int]
    end: str
    pad: str
    begin: str | None = None
    unknown: str | None = None

    @property
    def size(self) -> int:
        """One more than the largest id."""
        return max(self.tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    def files(self, *, longest: int) -> dict[str, bytes]:
        """Files of a model folder; `longest`: tokens the model has positions for."""
        config = {
            "tokenizer_class": "TokenizersBackend",
            "bos_token": self.begin,
            "eos_token": self.end,
            "pad_token": self.pad,
            "unk_token": self.unknown,
            "padding_side": "left",
            "model_max_length": longest,
            "model_input_names": ["input_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            "split_special_tokens": True,
        }
        return {
            "tokenizer.json": self.tokenizer.to_str().encode(),
            "tokenizer_config.json": json.dumps(config, indent=2).encode() + b"\n",
        }


def ids_of(tokenizer: Tokenizer, names: Iterable[str]) -> dict[str, int]:
    """Id of each name. Raises ValueError for a name that the tokenizer lacks."""
    ids: dict[str, int] = {}
    for name in names:
        index = tokenizer.token_to_id(name)
        if index is None:
            raise ValueError(f"it lacks {name}")
        ids[name] = index
    return ids


def with_gaps_filled(named: Mapping[int, str], first: int) -> list[str]:
    """Names of the ids from `first` on, in order; an id without a name gets an unused one.

    Raises ValueError where an id below `first` is named: it belongs to the vocabulary.
    """
    if min(named, default=first) < first:
        raise ValueError(f"the special token {named[min(named)]} has the id of an ordinary one")
    return [
        named.get(i, f"<|unused_{i}|>") for i in range(first, max(named, default=first - 1) + 1)
    ]
