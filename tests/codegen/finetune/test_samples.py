"""Holes, rows and blocks: nothing lost, nothing cut, the words of serving."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_codegen.finetune.file_filter import SourceFile
from glm_codegen.finetune.holes import CUTS, Lines, draw_hole, syntax_hole
from glm_codegen.finetune.packing import pack, to_batch
from glm_codegen.finetune.related import RelatedText
from glm_codegen.finetune.run_folder import RunFolder
from glm_codegen.finetune.samples import MIDDLE_WEIGHT, Row, RowMaker
from glm_codegen.prompt_formats.choose import choose_format
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.completion import CodeContext
from tests.codegen.finetune.small_repository import WORDS, module
from tests.runtime.tiny_models import END, byte_tokenizer

FILES = [
    SourceFile(path=f"{one}.py", language="python", text=module(one, other))
    for one, other in pairwise(WORDS)
]
LENGTH = 400


@pytest.fixture(scope="module")
def related(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelatedText]:
    with RelatedText(FILES, tmp_path_factory.mktemp("related") / "place") as found:
        yield found


@pytest.fixture
def maker(related: RelatedText) -> RowMaker:
    tokenizer = TextTokenizer(byte_tokenizer())
    return RowMaker(
        tokenizer,
        choose_format(tokenizer),
        length=LENGTH,
        end_token=END,
        related=related,
    )


@given(st.text("ab(x, y):\n\t =\"'", min_size=1, max_size=300), st.integers(0, 2**31))
def test_a_hole_is_a_cut_and_nothing_else(text: str, seed: int) -> None:
    text = text.rstrip("\n") + "\n"
    lines, chance = Lines.of(text), random.Random(seed)
    for kind, cut in CUTS.items():
        hole = cut(lines, chance.randrange(len(lines.starts)), chance)
        if hole is not None:
            assert hole.prefix + hole.middle + hole.suffix == text
            assert hole.kind == kind
            assert hole.middle.strip()
            assert hole.prefix.count("\n") == hole.lines.start
            assert hole.middle.count("\n") == len(hole.lines) - 1
            assert kind != "line" or "\n" not in hole.middle


def test_rows_are_whole_deterministic_and_end(maker: RowMaker) -> None:
    rows = list(maker.epoch(FILES, seed=5))
    assert rows == list(maker.epoch(FILES, seed=5))
    assert rows != list(maker.epoch(FILES, seed=6))
    assert max(len(row.token_ids) for row in rows) <= LENGTH
    answered = [row for row in rows if MIDDLE_WEIGHT in row.weights]
    assert len(answered) > len(rows) // 2
    for row in answered:
        assert row.token_ids[-1] == END
        assert row.token_ids.count(END) == 1
        assert row.weights[-1] == MIDDLE_WEIGHT


def test_a_row_is_the_prompt_of_serving_with_the_answer_behind_it(maker: RowMaker) -> None:
    tokenizer = TextTokenizer(byte_tokenizer())
    hole = next(
        found
        for seed in range(99)
        if (found := draw_hole(Lines.of(FILES[0].text), random.Random(seed)))
        and found.kind == "line"
    )
    row = maker.infill_row(FILES[0], hole, hole.suffix, ())
    assert row is not None
    context = CodeContext(
        path=FILES[0].path, language="python", prefix=hole.prefix, suffix=hole.suffix
    )
    room = LENGTH - 64  # what serving leaves for a line's answer
    prompt = choose_format(tokenizer).render(context, mode=hole.mode, token_budget=room)
    assert row.token_ids == (*prompt.token_ids, *tokenizer.encode(hole.middle), END)
    answer = len(tokenizer.encode(hole.middle)) + 1
    assert [weight == MIDDLE_WEIGHT for weight in row.weights[-answer - 1 :]] == [
        False,
        *[True] * answer,
    ]


def test_related_text_is_what_an_editor_finds_and_never_the_hole(related: RelatedText) -> None:
    text = FILES[0].text
    at = text.index("raise ValueError")
    hole = text[at : text.index("\n", at)]
    found = related.related("ledger.py", "python", text[:at], text[at + len(hole) :])
    assert {snippet.path for snippet in found} - {"ledger.py"}
    assert not any(hole in snippet.text for snippet in found if snippet.path == "ledger.py")
    assert len({snippet.id for snippet in found}) == len(found)


def test_pieces_of_the_grammar_are_cut(related: RelatedText) -> None:
    file, chance = FILES[0], random.Random(3)
    lines, cuts = Lines.of(file.text), related.cuts(FILES[0])
    found = [syntax_hole(lines, cuts, chance) for _ in range(60)]
    kinds = {hole.kind for hole in found if hole is not None}
    assert {"syntax_arguments", "syntax_block_body", "syntax_line"} <= kinds
    for hole in found:
        assert hole is not None
        assert hole.prefix + hole.middle + hole.suffix == file.text
        assert hole.prefix.count("\n") == hole.lines.start
    plain = SourceFile(path="a.nix", language="nix", text=file.text)
    assert related.cuts(plain) == ()
    assert syntax_hole(lines, (), chance) is None


def test_paths_that_climb_out_are_not_laid_out(tmp_path: Path) -> None:
    text = FILES[0].text
    paths = ("../out.py", "a/../../out.py", "/out.py", ".git/out.py", "in/side.py")
    files = [SourceFile(path=path, language="python", text=text) for path in paths]
    with RelatedText(files, tmp_path / "place"):
        assert [p.name for p in tmp_path.rglob("*.py")] == ["side.py"]
        assert (tmp_path / "place").stat().st_mode & 0o777 == 0o700
    assert not list(tmp_path.iterdir())


@given(st.lists(st.integers(2, 60), max_size=60))
def test_packing_loses_and_cuts_nothing(lengths: list[int]) -> None:
    rows = [
        Row(token_ids=(number,) * length, weights=(1.0,) * (length - 1))
        for number, length in enumerate(lengths)
    ]
    blocks = list(pack(rows, 60))
    assert sorted(row.token_ids for block in blocks for row in block) == sorted(
        row.token_ids for row in rows
    )
    assert all(sum(len(row.token_ids) for row in block) <= 60 for block in blocks)


def test_nobody_sees_another_row_or_the_padding() -> None:
    one = Row(token_ids=(1, 2, 3), weights=(0.5, 1.0))
    two = Row(token_ids=(4, 5), weights=(1.0,))
    batch = to_batch([(one, two)], 7, pad=9)
    assert batch.ids_BT.tolist() == [[1, 2, 3, 4, 5, 9, 9]]
    assert batch.positions_BT.tolist() == [[0, 1, 2, 0, 1, 0, 0]]
    assert batch.weights_BT.tolist() == [[0.5, 1.0, 0, 1.0, 0, 0, 0]]
    assert batch.targets_BT[0, [0, 1, 3]].tolist() == [2, 3, 5]
    sees = batch.sees_B1TT[0, 0]
    assert sees[2].tolist() == [True, True, True, False, False, False, False]
    assert sees[4].tolist() == [False, False, False, True, True, False, False]


def test_rows_and_questions_come_back_from_disk(tmp_path: Path, maker: RowMaker) -> None:
    folder = RunFolder(tmp_path, "x")
    rows = list(maker.epoch(FILES[:3], seed=1))
    with folder.open():
        folder.write_rows(rows, rows[:2])
        assert folder.read_rows() == (rows, rows[:2])
        folder.write_rows(rows, [])
        assert folder.read_rows() == (rows, [])
        assert (folder.path / "rows.safetensors").stat().st_mode & 0o777 == 0o600
        assert folder.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a b", "x" * 65])
def test_run_names_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    from glm_protocol.errors import BadRequest

    with pytest.raises(BadRequest, match="no name"):
        RunFolder(tmp_path, name)
