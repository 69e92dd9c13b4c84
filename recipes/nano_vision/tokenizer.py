"""The tokenizer of nano-vision: one token a character, and one for each word of its questions.

`python -m recipes.nano_vision.tokenizer` writes `models/nano-vision/tokenizer.json`. FROZEN: the
weights depend on its ids. Reading must be exact to the character, and 95 printable characters
leave the weights to the layers, where 8,192 pieces of nano-code would take half of them.
"""

from __future__ import annotations

import string
from pathlib import Path

from tokenizers import Tokenizer, decoders, models

from glm_vision.drawn.words import QUESTION_WORDS

MODEL = Path(__file__).parent.parent.parent / "models" / "nano-vision"
PAD, BOS, EOS, UNKNOWN = 0, 1, 2, 3
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")
CHARACTERS = "\n" + string.printable[:95]  # ASCII, from 0 to the blank, in an order of its own
VOCABULARY = 256  # ids not given yet are for words of later questions


def ids_by_character() -> dict[str, int]:
    """For answers that must be spelt out, whatever words they hold."""
    return {character: len(SPECIALS) + index for index, character in enumerate(CHARACTERS)}


def build() -> Tokenizer:
    """Characters, then the words, in the order of the vocabulary."""
    vocabulary = {name: index for index, name in enumerate(SPECIALS)} | ids_by_character()
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.add_tokens(list(QUESTION_WORDS))
    assert tokenizer.get_vocab_size() <= VOCABULARY
    return tokenizer


def main() -> None:
    """Write the file; an existing one stays."""
    path = MODEL / "tokenizer.json"
    if path.exists():
        raise SystemExit(f"{path} is frozen; a new vocabulary means a new model")
    MODEL.mkdir(parents=True, exist_ok=True)
    build().save(str(path))


if __name__ == "__main__":
    main()
