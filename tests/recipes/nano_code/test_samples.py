"""Rows hold one whole sample each, weighted where the answer stands; holes add up to the file."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest

from glm_codegen.finetune.holes import Lines
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.completion import CompletionMode
from recipes.nano_code.corpus import SourceFile
from recipes.nano_code.holes import block_hole, line_hole
from recipes.nano_code.related import Neighbours
from recipes.nano_code.row_store import RowStore
from recipes.nano_code.samples import RowMaker, shard, write_shard
from recipes.nano_code.spots import draw_spots
from recipes.nano_code.tokenizer import MODEL, SPECIAL_TOKENS, build, freeze

FROZEN = [397, 794, 112, 55, 370, 475, 313, 371, 268, 64, 65, 246]
TEXT = "".join(
    f"def compute_{n}(value, scale={n}):\n"
    f"    total = value * scale + OFFSET_{n}\n"
    f"    if total > {n}:\n        return total\n    return helper_{n}(total)\n\n\n"
    for n in range(30)
)


def file(name: str, text: str = TEXT) -> SourceFile:
    return SourceFile(package="demo", language="Python", path=f"demo/{name}.py", text=text)


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer(build(iter([TEXT] * 4), vocabulary=400))


@pytest.mark.parametrize("cut", [line_hole, block_hole])
def test_a_hole_and_its_ends_make_the_file(cut: object) -> None:
    chance = random.Random(1)
    holes = [hole for _ in range(200) if (hole := cut(TEXT, chance))]  # type: ignore[operator]
    assert len(holes) > 50
    for hole in holes:
        assert hole.prefix + hole.middle + hole.suffix == TEXT
        assert hole.middle.strip()
        assert ("\n" in hole.middle) <= (hole.mode is CompletionMode.BLOCK)


def test_lines_without_a_last_newline() -> None:
    lines = Lines.of("a\n\n  b")
    assert [lines.line(number) for number in range(3)] == ["a", "", "  b"]
    assert [lines.indent(number) for number in range(3)] == [0, None, 2]


def test_related_code_never_comes_from_the_file_itself() -> None:
    files = [file("one"), file("two"), file("three", TEXT.replace("compute", "measure"))]
    found = Neighbours(files).related(files[0], TEXT[:900], TEXT[1200:], 3, random.Random(0))
    assert found
    assert "demo/one.py" not in {snippet.path for snippet in found}


def test_rows_are_whole_samples(tokenizer: TextTokenizer) -> None:
    maker = RowMaker([file("one"), file("two")], tokenizer, length=300)
    end, pad = tokenizer.control_id("<|endoftext|>"), tokenizer.control_id("<|pad|>")
    user = tokenizer.control_id("<|user|>")
    assert pad is not None
    infill = 0
    for ids, weights in itertools.islice(maker.rows(seed=5), 60):
        assert len(ids) <= 301
        assert len(weights) == len(ids) - 1
        assert ids[0] == tokenizer.control_id("[gMASK]")
        if user in ids:
            infill += 1
            assert ids[-1] == end
            assert ids.count(end) == 1
            assert weights[-1] == 100
    assert infill > 20


def test_rows_repeat_with_the_seed(tokenizer: TextTokenizer) -> None:
    one, two = (
        list(itertools.islice(RowMaker([file("one")], tokenizer, 200).rows(seed=3), 8))
        for _ in range(2)
    )
    assert one == two


def test_shards_are_read_back_row_by_row(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    pad = tokenizer.control_id("<|pad|>")
    assert pad is not None
    maker = RowMaker([file("one")], tokenizer, 128)
    for number in range(2):
        write_shard(tmp_path / f"train-{number:04d}.npz", *shard(maker.rows(number), 8, pad, 128))
    store = RowStore(tmp_path, "train")
    import torch

    cpu = torch.device("cpu")
    inputs, targets, weights = store.batch(0, 4, cpu)
    assert inputs.shape == targets.shape == weights.shape == (4, 128)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    again = store.batch(16, 8, cpu)[0]  # the first shard once more, in another order
    first = store.batch(0, 8, cpu)[0]
    assert sorted(again.tolist()) == sorted(first.tolist())
    with np.load(tmp_path / "train-0000.npz") as raw:
        assert raw["tokens"].dtype == np.uint16


def test_spots_are_the_same_every_time() -> None:
    files = [file("one"), file("two")]
    spots = draw_spots(files, per_language=5)
    assert spots == draw_spots(files, per_language=5)
    assert [spot.mode for spot in spots].count(CompletionMode.LINE) == 5
    for spot in spots:
        assert spot.context.prefix + spot.truth + spot.context.suffix == TEXT


def test_a_tokenizer_is_built_and_frozen(tmp_path: Path) -> None:
    made = build(iter([TEXT] * 4), vocabulary=400)
    freeze(made, tmp_path)
    tokenizer = TextTokenizer.from_folder(tmp_path)
    assert [tokenizer.control_id(name) for name in SPECIAL_TOKENS] == list(range(48))
    assert tokenizer.decode(tokenizer.encode("\tx =  12\n\n# é 漢\n")) == "\tx =  12\n\n# é 漢\n"
    digits = tokenizer.encode("1234")
    assert [tokenizer.decode([token]) for token in digits] == ["1", "2", "3", "4"]


def test_the_tokenizer_that_ships_is_the_frozen_one() -> None:
    tokenizer = TextTokenizer.from_folder(MODEL)
    assert tokenizer.vocabulary_size == 8192
    assert [tokenizer.control_id(name) for name in SPECIAL_TOKENS] == list(range(48))
    assert tokenizer.encode("def area(self):\n    return 12\n") == FROZEN
