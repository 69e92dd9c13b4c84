"""A tokenizer small enough to read: one token a byte, plus control tokens."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer

CONTROL = (
    *("<|endoftext|>", "<|pad|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>"),
    *("<|observation|>", "<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
)


def byte_tokenizer(control: tuple[str, ...] = CONTROL, *, special: bool = True) -> Tokenizer:
    """Byte-level tokenizer without merges; `control` added behind the 256 bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    added = [AddedToken(name, special=special) for name in control]
    tokenizer.add_special_tokens(added) if special else tokenizer.add_tokens(added)
    return tokenizer


@pytest.fixture
def tokenizer() -> TextTokenizer:
    """One token a byte, all control tokens of the infilling format."""
    return TextTokenizer(byte_tokenizer())
