"""Rank files become the ids that their own merging rule gives; missing names refuse."""

from __future__ import annotations

import base64
import itertools
import random
import re

import pytest

from glm_codegen.models.glm4_tokenizer import glm4_tokenizer, read_ranks

SPECIAL = {
    400: "<|endoftext|>", 401: "[MASK]", 402: "[gMASK]", 403: "[sMASK]", 404: "<sop>",
    405: "<eop>", 406: "<|system|>", 407: "<|user|>", 408: "<|assistant|>", 411: "<|code_prefix|>",
}  # fmt: skip
TEXT = "def value(items):\n    return [item.value for item in items]\n\nprint(value(items), 12345)"


def _ranks() -> dict[bytes, int]:
    """256 bytes, then the most frequent pairs of a text, merged one after the other."""
    tokens = [bytes([byte]) for byte in random.Random(1).sample(range(256), 256)]
    words = [re.findall(rb"[^\W\d]|.|\n", word) for word in re.findall(rb" ?\w+|\W", TEXT.encode())]
    while len(tokens) < 400:
        pairs: dict[tuple[bytes, bytes], int] = {}
        for word in words:
            for left, right in itertools.pairwise(word):
                pairs[left, right] = pairs.get((left, right), 0) + 1
        if not pairs:
            tokens += [b"\xff\xfe" + bytes([i]) for i in range(400 - len(tokens))]
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        tokens.append(b"".join(best))
        words = [_joined(word, best) for word in words]
    return {token: rank for rank, token in enumerate(tokens)}


def _joined(word: list[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    out: list[bytes] = []
    for token in word:
        if out and (out[-1], token) == pair:
            out[-1] += token
        else:
            out.append(token)
    return out


def _merged_by_rank(word: bytes, ranks: dict[bytes, int]) -> list[int]:
    """The rule itself: join the adjacent pair of lowest rank, leftmost first, until none joins."""
    if word in ranks:
        return [ranks[word]]
    parts = [bytes([byte]) for byte in word]
    while True:
        unions = [(ranks.get(a + b), i) for i, (a, b) in enumerate(itertools.pairwise(parts))]
        known = [(rank, i) for rank, i in unions if rank is not None]
        if not known:
            return [ranks[part] for part in parts]
        _, at = min(known)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def test_ids_are_those_of_the_merging_rule() -> None:
    ranks = _ranks()
    tokenizer = glm4_tokenizer(ranks, SPECIAL).tokenizer
    generator = random.Random(2)
    letters = "defvaluitms rn"
    for _ in range(300):
        word = "".join(generator.choice(letters[:-3]) for _ in range(generator.randint(1, 12)))
        ids = tokenizer.encode(word, add_special_tokens=False).ids
        assert ids == _merged_by_rank(word.encode(), ranks), word
    for text in (TEXT, "你好 🙂\t\r\n", "it's  two   spaces", "<sop>[gMASK]<|user|>"):
        tokenizer.encode_special_tokens = True
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert tokenizer.decode(ids) == text
        assert max(ids) < 400


def test_words_are_cut_as_published() -> None:
    tokenizer = glm4_tokenizer(_ranks(), SPECIAL).tokenizer
    words = tokenizer.pre_tokenizer.pre_tokenize_str("it's x1234  \n\n  y!=z")
    assert [text for text, _ in words] == [
        "it",
        "'s",
        "Ġx",
        "123",
        "4",
        "ĠĠĊĊ",
        "Ġ",
        "Ġy",
        "!=",
        "z",
    ]


def test_prefix_and_control_ids_come_from_the_list() -> None:
    made = glm4_tokenizer(_ranks(), SPECIAL)
    plain = made.tokenizer.encode("items", add_special_tokens=False).ids
    assert made.tokenizer.encode("items").ids == [402, 404, *plain]
    assert made.special_ids["<|code_prefix|>"] == 411
    assert made.special_ids["<|unused_409|>"] == 409
    assert made.size == 412


@pytest.mark.parametrize("name", ["[gMASK]", "<sop>", "<|endoftext|>"])
def test_a_missing_control_token_is_named(name: str) -> None:
    listed = {index: token for index, token in SPECIAL.items() if token != name}
    with pytest.raises(ValueError, match=re.escape(f"does not list {name}")):
        glm4_tokenizer(_ranks(), listed)


def test_ranks_that_are_not_whole_are_refused() -> None:
    ranks = _ranks()
    with pytest.raises(ValueError, match="each once"):
        glm4_tokenizer({token: rank for token, rank in ranks.items() if rank != 300}, SPECIAL)
    swapped = {(token if token != b"a" else b"\xff\xff\xff"): rank for token, rank in ranks.items()}
    with pytest.raises(ValueError, match="byte 0x61"):
        glm4_tokenizer(swapped, SPECIAL)
    with pytest.raises(ValueError, match="has the id of an ordinary one"):
        glm4_tokenizer(ranks, {**SPECIAL, 12: "<|early|>"})


def test_lines_are_read_and_wrong_ones_named() -> None:
    lines = b"\n".join(base64.b64encode(t) + b" %d" % r for t, r in _ranks().items())
    assert read_ranks(lines + b"\n") == _ranks()
    for wrong in (b"YQ==", b"YQ== x", b"!! 3", b" = 1 2"):
        with pytest.raises(ValueError, match="line 2"):
            read_ranks(b"YQ== 0\n" + wrong)
