"""CodeGeeX-13B's tokenizer: GPT-2's byte-level BPE, with a token for each run of spaces.

Runs of 2 to 10 spaces are the ids 50266 to 50274, longest first from the left; a single space
stays GPT-2's. The released code writes them as `<|extratoken_10|>` to `<|extratoken_18|>` into
the text before BPE, so that text which spells such a name turns into spaces. Here the run of
spaces itself is the added token: same ids, and text stays what it is. Source: the CodeGeeX
project's tokenizer; `vocab.json` and `merges.txt` are GPT-2's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from glm_codegen.models.converted_tokenizer import ConvertedTokenizer

END = "<|endoftext|>"
_ORDINARY = 50257
_EXTRA = 143
_SPACES_OFFSET = 8  # a run of i spaces is extra token 8 + i
_LONGEST_RUN = 10


def codegeex_tokenizer(
    vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]
) -> ConvertedTokenizer:
    """Build it from GPT-2's two files. Raises ValueError where they are not whole."""
    if vocabulary.get(END) != _ORDINARY - 1:
        raise ValueError(f"vocab.json lacks {END}, or has it at another id than {_ORDINARY - 1}")
    if sorted(vocabulary.values()) != list(range(_ORDINARY)):
        raise ValueError(f"vocab.json must hold the ids 0 to {_ORDINARY - 1}, each once")
    for left, right in merges:
        if not {left, right, left + right} <= vocabulary.keys():
            raise ValueError(f"merges.txt joins {left!r} and {right!r}, which vocab.json lacks")
    tokenizer = Tokenizer(BPE(vocab=dict(vocabulary), merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END, normalized=False)])
    tokenizer.add_tokens([_extra_token(number) for number in range(1, _EXTRA + 1)])
    named = {
        token.content: index
        for index, token in tokenizer.get_added_tokens_decoder().items()
        if token.special
    }
    return ConvertedTokenizer(
        kind="GPT-2 BPE with runs of spaces",
        tokenizer=tokenizer,
        special_ids=named,
        begin=END,
        end=END,
        pad=END,
        unknown=END,
    )


def _extra_token(number: int) -> AddedToken:
    run = number - _SPACES_OFFSET
    if 2 <= run <= _LONGEST_RUN:
        return AddedToken(" " * run, normalized=False, special=False)
    return AddedToken(f"<|extratoken_{number}|>", normalized=False, special=True)
