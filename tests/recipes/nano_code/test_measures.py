"""The measures and the two baselines, against values that are plain to see."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_codegen.evaluate.text_measures import edit_distance, edit_similarity
from glm_protocol.completion import CodeContext
from recipes.nano_code import open_file_words
from recipes.nano_code.measures import bootstrap, first_word
from recipes.nano_code.ngram import CacheCounts, NgramModel


def plain_distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


@given(st.text("abc\n", max_size=12), st.text("abc\n", max_size=12))
def test_edit_distance(one: str, other: str) -> None:
    assert edit_distance(one, other) == plain_distance(one, other)


def test_similarity_and_first_word() -> None:
    assert edit_similarity("", "") == 1.0
    assert edit_similarity("abcd", "abxd") == 0.75
    assert first_word("  (x)") == "("
    assert first_word("self.x") == "self"
    assert first_word("") == ""


def test_the_interval_holds_the_mean_and_repeats() -> None:
    values = [random.Random(1).random() for _ in range(50)]
    mean = bootstrap(values)
    assert mean.low <= mean.value <= mean.high
    assert mean == bootstrap(values)
    assert math.isnan(bootstrap([]).value)


@pytest.mark.parametrize(
    ("prefix", "suffix", "expected"),
    [
        ("value = 1\nvalue += 2\nother = 3\n", "", "value"),
        ("apple apricot apricot\nap", "", "ricot"),
        ("x = 1\n", "", ""),
        ("def foo():\n    re", "\n    return_code = return_code\n", "turn_code"),
    ],
)
def test_words_of_the_open_file(prefix: str, suffix: str, expected: str) -> None:
    context = CodeContext(path="a.py", language="python", prefix=prefix, suffix=suffix)
    assert open_file_words.complete(context) == expected


def test_ngram_probabilities_add_up_to_one() -> None:
    tokens = [random.Random(4).randrange(12) for _ in range(300)]
    model, cache = NgramModel(tokens, vocabulary=12), CacheCounts()
    cache.add(tokens[:40])
    for history in ([], [3], tokens[5:9], [99 % 12, 1, 2, 3, 4]):
        total = sum(model.probability(history, token, cache) for token in range(12))
        assert total == pytest.approx(1.0)


def test_the_cache_goes_before_the_corpus() -> None:
    model, cache = NgramModel([1, 2, 3] * 50, vocabulary=8), CacheCounts()
    assert model.next_token([1, 2], cache) == 3
    cache.add([1, 2, 7])
    assert model.next_token([1, 2], cache) == 7
