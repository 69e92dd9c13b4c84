"""Training and freezing of the tokenizer: byte-level BPE over code, 8,192 ids.

`python -m recipes.nano_code.tokenizer` writes tokenizer.json and tokenizer_config.json into
models/nano-code/. Once weights exist the tokenizer is FROZEN: the step refuses to run again
while the file is there, because every id in every shard and weight would change its meaning.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from recipes.nano_code.corpus import read_files

MODEL = Path(__file__).parents[2] / "models" / "nano-code"
VOCABULARY = 8192
SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|pad|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>"),
    *("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
    *("<|begin_of_image|>", "<|end_of_image|>", "<|image|>"),
    *("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
    *(f"<|reserved_{number}|>" for number in range(31)),
)
# A newline with the indentation of the next line is one piece; digits stand alone; a word takes
# at most one leading space; runs of punctuation take one leading space; other white space runs.
PIECES = r"\n[ \t]*|[ ]?[\p{L}_]+|\p{N}|[ ]?[^\s\p{L}\p{N}_]+|[ \t]+(?=[ ][\p{L}_])|[ \t]+|\s+"
SAMPLE_BYTES = 24_000_000


def sample_texts(limit: int = SAMPLE_BYTES, seed: int = 0) -> Iterator[str]:
    """Texts of the training split, drawn by chance up to about `limit` characters."""
    chosen = [file.text for file in read_files("train")]
    random.Random(seed).shuffle(chosen)
    for text in chosen:
        limit -= len(text)
        if limit < 0:
            return
        yield text


def build(texts: Iterator[str], vocabulary: int = VOCABULARY) -> Tokenizer:
    """Train a tokenizer with all special tokens first, ids 0 to 47."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(name, special=True) for name in SPECIAL_TOKENS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=24,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def freeze(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the two files that AutoTokenizer reads."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|pad|>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
        "additional_special_tokens": list(SPECIAL_TOKENS[2:]),
    }
    text = json.dumps(config, indent=1) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Train once and freeze."""
    if (MODEL / "tokenizer.json").exists():
        raise SystemExit("models/nano-code/tokenizer.json is frozen; weights depend on it")
    tokenizer = build(sample_texts())
    freeze(tokenizer, MODEL)
    texts = list(sample_texts(2_000_000, seed=1))
    tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts))
    size = sum(len(text.encode()) for text in texts)
    print(f"{tokenizer.get_vocab_size()} ids, {size / tokens:.2f} bytes a token")


if __name__ == "__main__":
    main()
