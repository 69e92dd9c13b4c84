"""What a model is asked to prove itself: holes over lines that training never saw.

With a time split every line of a hole was added after the cut, and a hole whose words stand in
the training text all the same is left out: moved and copied lines prove memory, not learning.
Held-out files are divided once more: one in four steers the training, the others are the receipt.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glm_codegen.finetune.file_filter import SourceFile
from glm_codegen.finetune.holes import CUTS, Hole, Lines
from glm_codegen.finetune.near_duplicates import ALIKE, shingles

ASKED_KINDS = ("line", "body", "arguments", "line")  # one question in two is a line
MOST_A_FILE = 24
STEERING_SHARE = 4
TRIES_A_QUESTION = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One hole of one file; `hole.middle` is the truth."""

    file: SourceFile
    hole: Hole


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """A file as it is now; `new` are its new lines, None where all of it is held out."""

    file: SourceFile
    new: frozenset[int] | None


class SeenText:
    """Hashes of the shingles of the training text."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self._seen = {hash(mark) for file in files for mark in shingles(file.text)}
        self._lines = {line.strip() for file in files for line in file.text.split("\n")}

    def holds(self, text: str) -> bool:
        """Whether most of `text`'s shingles, or all of its lines, are known."""
        marks = shingles(text)
        known = sum(hash(mark) in self._seen for mark in marks)
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        return bool(marks) and (
            known >= ALIKE * len(marks) or all(line in self._lines for line in lines)
        )


def divide(held: Sequence[HeldOut]) -> tuple[list[HeldOut], list[HeldOut]]:
    """(files that steer the training, files that are asked about), by a hash of their paths.

    With fewer than four files none steers: the receipt needs them more.
    """
    order = sorted(held, key=lambda one: hashlib.sha256(one.file.path.encode()).hexdigest())
    count = len(order) // STEERING_SHARE
    return order[:count], order[count:]


def draw_questions(
    held: Sequence[HeldOut], seen: SeenText | None, *, count: int, seed: int
) -> tuple[Question, ...]:
    """At most `count` questions, spread over the files, the same for the same seed."""
    chance = random.Random(seed)
    order = sorted(held, key=lambda one: one.file.path)
    chance.shuffle(order)
    found: list[Question] = []
    taken: set[tuple[str, int, int]] = set()
    for turn in range(MOST_A_FILE):
        for one in order:
            if len(found) == count:
                return tuple(found)
            hole = _one_hole(one, ASKED_KINDS[turn % len(ASKED_KINDS)], seen, chance)
            if hole is None:
                continue
            place = (one.file.path, len(hole.prefix), len(hole.middle))
            if place not in taken:
                taken.add(place)
                found.append(Question(file=one.file, hole=hole))
    return tuple(found)


def _one_hole(
    held: HeldOut, kind: str, seen: SeenText | None, chance: random.Random
) -> Hole | None:
    lines = Lines.of(held.file.text)
    candidates = [
        number
        for number in (range(len(lines.starts)) if held.new is None else sorted(held.new))
        if number < len(lines.starts)
    ]
    if not candidates:
        return None
    for _ in range(TRIES_A_QUESTION):
        hole = CUTS[kind](lines, chance.choice(candidates), chance)
        if hole is None or (held.new is not None and not held.new.issuperset(hole.lines)):
            continue
        whole_lines = "\n".join(lines.line(number) for number in hole.lines)
        if seen is None or not seen.holds(whole_lines):
            return hole
    return None
