"""All text of one run, chosen and divided: what is learned, what steers, what is asked at the end.

No tokens here, and no model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from glm_codegen.finetune.file_filter import VENDORED, Rejected, SourceFile, judge
from glm_codegen.finetune.near_duplicates import near_duplicates
from glm_codegen.finetune.questions import HeldOut, Question, SeenText, divide, draw_questions
from glm_codegen.finetune.repository import Blob, Snapshot, Split, is_linguist_generated

STEERING_QUESTIONS, ASKED_QUESTIONS = 64, 300
LICENCE_NAME = re.compile(r"(?i)^(?:licen[cs]e|copying|notice)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """`licences`: first lines of the licence files of vendored code that was left out."""

    snapshot: Snapshot
    train: tuple[SourceFile, ...]
    rejected: tuple[Rejected, ...]
    steering: tuple[Question, ...]
    asked: tuple[Question, ...]
    licences: tuple[str, ...]

    def counts(self) -> dict[str, object]:
        """`files` of the receipt: kept, and rejected by reason."""
        reasons = Counter(rejected.reason for rejected in self.rejected)
        languages = Counter(file.language for file in self.train)
        return {
            "kept": len(self.train),
            "rejected": dict(sorted(reasons.items())),
            "languages": dict(languages.most_common()),
            "secrets": sorted(
                f"{one.path} ({one.detail})" for one in self.rejected if one.reason == "secret"
            ),
            "vendored_licences": list(self.licences),
        }


def build_dataset(snapshot: Snapshot, *, questions: int = ASKED_QUESTIONS) -> Dataset:
    """Judge every file, drop near-duplicates, and draw the questions."""
    marked = is_linguist_generated(snapshot.root, [blob.path for blob in snapshot.train])
    kept, rejected = _judged(snapshot.train, marked)
    held_kept, held_rejected = _judged([blob for blob, _ in snapshot.held_out], marked)
    if snapshot.split is Split.FILES:
        rejected += held_rejected
    repeats = set(
        near_duplicates(
            [file.text for file in kept],
            against=[file.text for file in held_kept] if snapshot.split is Split.FILES else [],
        )
    )
    rejected += [
        Rejected(path=file.path, reason="near-duplicate")
        for number, file in enumerate(kept)
        if number in repeats
    ]
    train = tuple(file for number, file in enumerate(kept) if number not in repeats)
    new_lines = {blob.path: lines for blob, lines in snapshot.held_out}
    held = [HeldOut(file=file, new=new_lines[file.path]) for file in held_kept]
    seen = SeenText(train)
    steering, asked = divide(held)
    return Dataset(
        snapshot=snapshot,
        train=train,
        rejected=tuple(rejected),
        steering=draw_questions(steering, seen, count=STEERING_QUESTIONS, seed=11),
        asked=draw_questions(asked, seen, count=questions, seed=12),
        licences=_licences(snapshot.train),
    )


def _judged(
    blobs: Sequence[Blob], marked: frozenset[str]
) -> tuple[list[SourceFile], list[Rejected]]:
    kept, rejected = list[SourceFile](), list[Rejected]()
    for blob in blobs:
        found = judge(blob, marked=marked)
        if isinstance(found, SourceFile):
            kept.append(found)
        else:
            rejected.append(found)
    return kept, rejected


def _licences(blobs: Sequence[Blob]) -> tuple[str, ...]:
    """`folder: first line` for the licence files of vendored folders."""
    found = []
    for blob in blobs:
        path = PurePosixPath(blob.path)
        is_vendored = any(part.lower() in VENDORED for part in path.parts[:-1])
        if blob.raw and is_vendored and LICENCE_NAME.match(path.name):
            first = blob.raw.decode("utf-8", "replace").strip().split("\n")[0].strip()
            found.append(f"{path.parent}: {first[:80]}")
    return tuple(sorted(found))
