"""CodeGeeX-13B's tokenizer: the published ids, lossless text, and no text that is a control."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from glm_codegen.models.codegeex_tokenizer import codegeex_tokenizer
from tests.codegen.models.reference_cases import TOKENIZERS, gpt2_files

CASES = json.loads((TOKENIZERS / "codegeex_cases.json").read_text())
SPELLS_CONTROL = ("<|extratoken_12|> literal", "<|endoftext|>")


def _read(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    vocabulary = json.loads((folder / "vocab.json").read_text())
    lines = (folder / "merges.txt").read_text("utf-8").split("\n")[1:]
    return vocabulary, [(line.split(" ")[0], line.split(" ")[1]) for line in lines if line]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], list[tuple[str, str]]]:
    folder = tmp_path_factory.mktemp("gpt2")
    gpt2_files(folder)
    return _read(folder)


@pytest.fixture(scope="module")
def tokenizer(files: tuple[dict[str, int], list[tuple[str, str]]]) -> Tokenizer:
    made = codegeex_tokenizer(*files).tokenizer
    made.encode_special_tokens = True  # what `split_special_tokens` sets
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"]))
def test_published_ids(tokenizer: Tokenizer, case: dict[str, object]) -> None:
    text = str(case["text"])
    ids = tokenizer.encode(text).ids
    if text in SPELLS_CONTROL:  # the published code lets text become control; ours must not
        assert ids != case["ids"]
        assert max(ids) < 50256
    else:
        assert ids == case["ids"]
    assert tokenizer.decode(ids) == text


def test_spelled_control_tokens_are_parsed_only_when_asked(tokenizer: Tokenizer) -> None:
    tokenizer.encode_special_tokens = False
    try:
        assert tokenizer.encode("<|endoftext|>").ids == [50256]
        assert tokenizer.encode("<|extratoken_143|>").ids == [50399]
        assert max(tokenizer.encode("<|extratoken_12|>").ids) < 50256
    finally:
        tokenizer.encode_special_tokens = True


def test_runs_of_spaces(tokenizer: Tokenizer) -> None:
    for count in range(2, 31):
        ids = tokenizer.encode(" " * count + "x").ids
        tens, rest = divmod(count, 10)
        assert ids[:tens] == [50274] * tens
        if rest > 1:
            assert ids[tens] == 50264 + rest
        assert tokenizer.decode(ids) == " " * count + "x"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_text_comes_back_and_is_never_control(text: str) -> None:
    tokenizer = _shared_tokenizer()
    ids = tokenizer.encode(text).ids
    assert tokenizer.decode(ids) == text
    assert all(index < 50256 or 50266 <= index <= 50274 for index in ids)


_SHARED: list[Tokenizer] = []


def _shared_tokenizer() -> Tokenizer:
    """hypothesis forbids fixtures that live for one test only."""
    if not _SHARED:
        subset = json.loads((TOKENIZERS / "gpt2_subset.json").read_text())
        taken = set(subset["vocab"].values())
        fillers = {f"\u0000{i}": i for i in range(50257) if i not in taken}
        merges = [tuple(line.split(" ")) for line in subset["merges"]]
        made = codegeex_tokenizer(subset["vocab"] | fillers, merges).tokenizer
        made.encode_special_tokens = True
        _SHARED.append(made)
    return _SHARED[0]


def test_files_that_are_not_whole_are_refused(
    files: tuple[dict[str, int], list[tuple[str, str]]],
) -> None:
    vocabulary, merges = files
    without_end = {text: i for text, i in vocabulary.items() if text != "<|endoftext|>"}
    with pytest.raises(ValueError, match="endoftext"):
        codegeex_tokenizer(without_end, merges)
    shortened = {text: i for text, i in vocabulary.items() if i != 700}
    with pytest.raises(ValueError, match="ids 0 to 50256"):
        codegeex_tokenizer(shortened, merges)
    with pytest.raises(ValueError, match="which vocab.json lacks"):
        codegeex_tokenizer(vocabulary, [*merges, ("\u0000", "q")])
