"""One unit as a pair of outlines, rendered as serving does it; the rows' raw material."""

from __future__ import annotations

import random
from dataclasses import dataclass

from glm_codegen.translation.nano_format import NanoTranslateFormat
from glm_codegen.translation.outline import EntryKind, Outline
from glm_codegen.translation.placeholders import mark
from glm_codegen.translation.standard_names import drop_standard
from recipes.nano_translate.emit import source_emitter, target_emitter
from recipes.nano_translate.emitter import Rewrite
from recipes.nano_translate.lower import lower
from recipes.nano_translate.naming import camel
from recipes.nano_translate.program import Unit

# Required directions first; every other ordered pair has the rest.
REQUIRED = (("java", "python"), ("python", "javascript"), ("cpp", "python"), ("javascript", "go"),
            ("python", "java"))  # fmt: skip
# Those whose target states types that the source leaves open are drawn most: they are learnt last.
REQUIRED_WEIGHTS = (1.0, 1.0, 1.0, 2.5, 2.5)
REQUIRED_SHARE = 0.85
_LANGUAGES = ("python", "java", "javascript", "cpp", "go")
OTHERS = tuple((a, b) for a in _LANGUAGES for b in _LANGUAGES if a != b and (a, b) not in REQUIRED)


def draw_direction(chance: random.Random) -> tuple[str, str]:
    """Source and target language."""
    if chance.random() < REQUIRED_SHARE:
        return chance.choices(REQUIRED, REQUIRED_WEIGHTS)[0]
    return chance.choice(OTHERS)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Ids of one translation, and which of them the model has to write."""

    ids: tuple[int, ...]
    learnt: tuple[bool, ...]


def rewriter(found: Outline) -> Rewrite:
    """Replaces what the outline's placeholders stand for by them."""
    numbers = {(entry.kind, entry.text): number for number, entry in found.entries.items()}

    def rewrite(kind: str, text: str) -> str:
        if kind in ("real", "whole"):
            number = numbers.get((EntryKind.NUMBER, text))
            return text if number is None else ("0." if kind == "real" else "0") + mark(number)
        wanted = {"name": EntryKind.NAME, "text": EntryKind.TEXT}.get(kind, EntryKind.COMMENT)
        number = numbers.get((wanted, text))
        return text if number is None else mark(number)

    return rewrite


def target_lines(unit: Unit, source: str, target: str, found: Outline) -> list[tuple[str, int]]:
    """Lines of the translation with their events, placeholders for what it copies."""
    rewrite = rewriter(found)
    written = target_emitter(target, rewrite)
    # Names are looked up as the source spells them.
    written.name = lambda name: rewrite("name", _spelled(source, name))  # type: ignore[method-assign]
    written.late_fields, written.in_pieces = source in ("python", "javascript"), True
    lines = [(drop_standard(text, target), event) for text, event in written.events(unit) if text]
    latest, found_lines = 0, []
    for text, event in lines:
        latest = max(latest, event)
        found_lines.append((text, latest))
    return found_lines


def _spelled(language: str, name: str) -> str:
    if name[:1].isupper() or language in ("python", "cpp"):
        return name
    return camel(name)


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Lines of a source with the lines of the target that each gives; the rest closes."""

    outline: Outline
    chunks: tuple[tuple[str, tuple[str, ...]], ...]
    rest: tuple[str, ...]


def align(
    unit: Unit, source: str, target: str, form: NanoTranslateFormat, *, first: int = 0,
    style: random.Random | None = None,
) -> Aligned:  # fmt: skip
    """Write the unit in both languages and pair the lines by what they are of the tree."""
    lowered = lower(unit, source, style)
    emitter = source_emitter(source, style)
    emitter.preset(lowered.flags)
    written = emitter.events(lowered.unit)
    found = form.outline("\n".join(text for text, _ in written), source, first=first)
    waiting = target_lines(lowered.unit, source, target, found)
    latest, events = 0, []
    for row in found.rows:
        latest = max(latest, written[row][1])
        events.append(latest)
    chunks = []
    for at, line in enumerate(found.lines):
        ready: list[str] = []
        if at + 1 == len(events) or events[at + 1] > events[at]:
            while waiting and waiting[0][1] <= events[at]:
                ready.append(waiting.pop(0)[0])
        chunks.append((line, tuple(ready)))
    return Aligned(outline=found, chunks=tuple(chunks), rest=tuple(text for text, _ in waiting))


def make_pair(
    unit: Unit, source: str, target: str, form: NanoTranslateFormat, chance: random.Random,
    style: random.Random | None,
) -> Pair:  # fmt: skip
    """The unit's source in one language and its translation, as ids."""
    first = chance.randrange(form.placeholders.count)
    aligned = align(unit, source, target, form, first=first, style=style)
    ids = form.opening(aligned.outline, source, target)
    ids.append(form.ask)
    learnt = [False] * len(ids)

    def put(tokens: list[int], learn: bool) -> None:
        ids.extend(tokens)
        learnt.extend([learn] * len(tokens))

    for line, lines in aligned.chunks:
        put([*form.line_ids(line), form.answer], False)
        put([token for text in lines for token in form.line_ids(text)], True)
        put([form.ask], True)
    put([form.close], False)
    put([token for text in aligned.rest for token in form.line_ids(text)], True)
    put([form.end], True)
    return Pair(ids=tuple(ids), learnt=tuple(learnt))
