"""The spots of the held-out packages that are asked for, the same at every run."""

from __future__ import annotations

import random
from dataclasses import dataclass

from glm_protocol.completion import CodeContext, CompletionMode
from recipes.nano_code.corpus import SourceFile
from recipes.nano_code.holes import block_hole, line_hole
from recipes.nano_code.related import Neighbours
from recipes.nano_code.samples import LANGUAGE_ID

SEED = 20_261_123
RELATED = 3


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One question: the context an editor would send, and the text that was there."""

    package: str
    language: str
    mode: CompletionMode
    context: CodeContext
    truth: str


def draw_spots(files: list[SourceFile], *, per_language: int) -> tuple[Spot, ...]:
    """`per_language` LINE and as many BLOCK spots for each language, at most one a kind a file
    until every file was asked, related pieces of the same package added."""
    neighbours = Neighbours(files)
    by_language: dict[str, list[SourceFile]] = {}
    for file in files:
        by_language.setdefault(file.language, []).append(file)
    spots = []
    for language, members in sorted(by_language.items()):
        for mode, cut in ((CompletionMode.LINE, line_hole), (CompletionMode.BLOCK, block_hole)):
            chance = random.Random(f"{SEED} {language} {mode}")
            order = sorted(members, key=lambda file: (file.package, file.path))
            chance.shuffle(order)
            found = 0
            for turn in range(per_language * 40):
                if found == per_language:
                    break
                file = order[turn % len(order)]
                hole = cut(file.text, chance)
                if hole is None:
                    continue
                found += 1
                spots.append(Spot(
                    package=file.package, language=language, mode=mode, truth=hole.middle,
                    context=CodeContext(
                        path=file.path, language=LANGUAGE_ID[language],
                        prefix=hole.prefix, suffix=hole.suffix,
                        snippets=neighbours.related(
                            file, hole.prefix, hole.suffix, RELATED, chance
                        ),
                    ),
                ))  # fmt: skip
    return tuple(spots)
