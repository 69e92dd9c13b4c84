"""The tokenizer of GLM-4-9B and CodeGeeX4, from its file of ranks (the form of tiktoken).

Each line holds the base64 of a token's bytes and its rank, which is its id. Control tokens
follow; their ids stand in `tokenizer_config.json` and are read from there, never assumed. Every
prompt begins with `[gMASK]<sop>`. Source: GLM-4's tokenizer code; tiktoken's merging rule (join
the adjacent pair whose union has the lowest rank, and take a whole word that is a token as it
is).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    pre_tokenizers,
    processors,
)
from tokenizers.models import BPE

from glm_codegen.models.converted_tokenizer import ConvertedTokenizer, ids_of, with_gaps_filled

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PREFIX = ("[gMASK]", "<sop>")
END = "<|endoftext|>"


def glm4_tokenizer(ranks: Mapping[bytes, int], listed: Mapping[int, str]) -> ConvertedTokenizer:
    """Build it; `listed` are the control tokens that tokenizer_config.json names, by id.

    Raises ValueError where a control token that every prompt needs is missing, or the ranks are
    not whole.
    """
    missing = [name for name in (*PREFIX, END) if name not in listed.values()]
    if missing:
        raise ValueError(f"tokenizer_config.json does not list {', '.join(missing)}")
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise ValueError(f"its ranks are not 0 to {len(ranks) - 1}, each once")
    absent = next((byte for byte in range(256) if bytes([byte]) not in ranks), None)
    if absent is not None:
        raise ValueError(f"it has no token for the byte 0x{absent:02x}")
    text_of = _byte_letters()
    spelled = {token: "".join(text_of[byte] for byte in token) for token in ranks}
    tokenizer = Tokenizer(
        BPE(
            vocab={spelled[token]: rank for token, rank in ranks.items()},
            merges=[(spelled[left], spelled[right]) for left, right in _merges(ranks)],
            ignore_merges=True,
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    names = with_gaps_filled(listed, len(ranks))
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in names])
    ids = ids_of(tokenizer, names)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[gMASK] <sop> $A",
        pair="[gMASK] <sop> $A $B",
        special_tokens=[(name, ids[name]) for name in PREFIX],
    )
    return ConvertedTokenizer(
        kind="byte-level BPE by ranks", tokenizer=tokenizer, special_ids=ids, end=END, pad=END
    )


def read_ranks(content: bytes) -> dict[bytes, int]:
    """Token bytes -> rank. Raises ValueError, naming the line that is none."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            encoded, rank = line.split()
            token = base64.b64decode(encoded, validate=True)
            ranks[token] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise ValueError(f"line {number} holds no token and rank") from error
        if not token:
            raise ValueError(f"line {number} holds an empty token")
    return ranks


def _merges(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Every way to halve a token into two others, the lowest rank of the union first."""
    return [
        (token[:cut], token[cut:])
        for token in sorted(ranks, key=lambda token: ranks[token])
        for cut in range(1, len(token))
        if token[:cut] in ranks and token[cut:] in ranks
    ]


def _byte_letters() -> dict[int, str]:
    """GPT-2's letter for each byte: printable Latin-1 as itself, the rest from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    return letters | {byte: chr(0x100 + i) for i, byte in enumerate(others)}
