"""The generator of parallel programs: splits that share nothing, lines that belong together."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.translation.line_faults import faults
from glm_codegen.translation.nano_format import NanoTranslateFormat
from glm_codegen.translation.outline import EntryKind
from glm_codegen.translation.placeholders import mark
from glm_codegen.translation.restore import Restorer
from glm_codegen.translation.type_faults import TypeLedger
from recipes.nano_translate.draw import draw, draw_split
from recipes.nano_translate.emit import LANGUAGES, source_emitter, target_emitter
from recipes.nano_translate.lower import lower
from recipes.nano_translate.naming import HELD_OUT, TRAIN
from recipes.nano_translate.pairs import REQUIRED, align, make_pair
from recipes.nano_translate.program import held_out, shape

MODEL = Path(__file__).parents[3] / "models" / "nano-code"


@pytest.fixture(scope="module")
def form() -> NanoTranslateFormat:
    return NanoTranslateFormat(TextTokenizer.from_folder(MODEL))


def test_the_lists_of_names_share_no_word() -> None:
    assert not {w for ws in TRAIN.values() for w in ws} & {
        w for ws in HELD_OUT.values() for w in ws
    }


def test_shapes_of_the_splits_are_apart() -> None:
    chance = random.Random(1)
    for testing in (True, False):
        for _ in range(15):
            assert held_out(draw_split(chance, testing=testing)) is testing


def test_shape_does_not_know_names_or_literals() -> None:
    first, second = (draw(random.Random(4), names) for names in (TRAIN, HELD_OUT))
    assert shape(first) == shape(second) or first != second
    assert shape(first) != shape(draw(random.Random(5), TRAIN))


def test_python_parses_and_all_languages_are_written() -> None:
    chance = random.Random(2)
    for number in range(60):
        unit = draw(chance, TRAIN)
        style = random.Random(number)
        ast.parse(source_emitter("python", style).unit(unit))
        for language in LANGUAGES:
            lowered = lower(unit, language, style)
            assert source_emitter(language, style).unit(lowered.unit).strip()


@pytest.mark.parametrize("source", LANGUAGES)
@pytest.mark.parametrize("target", LANGUAGES)
def test_aligned_lines_are_the_whole_translation(
    form: NanoTranslateFormat, source: str, target: str
) -> None:
    if source == target:
        return
    chance = random.Random(7)
    for _ in range(6):
        unit = draw(chance, TRAIN, bold=0.5)
        lowered = lower(unit, source, None)
        aligned = align(unit, source, target, form)
        made = Restorer(outline=aligned.outline, source=source, target=target)
        said = [line for _, lines in aligned.chunks for line in lines] + list(aligned.rest)
        decoded = form.placeholders.decode(form.placeholders.encode("\n" + "\n".join(said)))
        restored = [made.line(line) for line in decoded[1:].split("\n")]
        emitter = target_emitter(target)
        emitter.late_fields, emitter.in_pieces = source in ("python", "javascript"), True
        wanted = [line for line in emitter.unit(lowered.unit).split("\n") if line]
        assert restored == wanted


def test_only_answers_are_learnt(form: NanoTranslateFormat) -> None:
    chance = random.Random(3)
    pair = make_pair(draw(chance, TRAIN), "java", "python", form, chance, None)
    assert len(pair.ids) == len(pair.learnt)
    assert pair.ids[-1] == form.end
    forced = [token for token, learn in zip(pair.ids, pair.learnt, strict=True) if not learn]
    assert forced.count(form.answer) == pair.ids.count(form.answer)


def test_right_translations_have_no_faults(form: NanoTranslateFormat) -> None:
    chance = random.Random(11)
    for _ in range(12):
        unit = draw(chance, TRAIN, bold=0.4)
        for source, target in REQUIRED:
            found = align(unit, source, target, form)
            kept = found.outline.entries.items()
            texts = {mark(n): e.text for n, e in kept if e.kind is EntryKind.TEXT}
            ledger, waiting = TypeLedger(source, target, texts), list[str]()
            for line, lines in found.chunks:
                waiting.append(line)
                if lines:
                    asked, said = "\n".join(waiting), "\n".join(lines)
                    titles = found.outline.titles
                    notes = found.outline.comments
                    assert not faults(asked, said, always=titles, target=target, comments=notes)
                    assert ledger.faults(asked, said) == 0
                    waiting = []
