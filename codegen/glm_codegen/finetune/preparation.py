"""From a repository to a planned run: rows, questions, three probe steps, and how long it takes.

The probe is the real loop on real blocks, thrown away afterwards; what it measures is the speed
and the memory of this machine as it is now.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from glm_codegen.finetune.base_model import BaseModel
from glm_codegen.finetune.canaries import Canary, canary_file
from glm_codegen.finetune.dataset import Dataset
from glm_codegen.finetune.file_filter import SourceFile
from glm_codegen.finetune.holes import Hole
from glm_codegen.finetune.packing import pack
from glm_codegen.finetune.questions import HeldOut, Question, draw_questions
from glm_codegen.finetune.related import RelatedText
from glm_codegen.finetune.run_folder import Asked
from glm_codegen.finetune.samples import Row, RowMaker
from glm_codegen.finetune.train_plan import TrainPlan, rate_for
from glm_codegen.finetune.training_loop import Trainer
from glm_protocol.completion import CodeContext
from glm_protocol.errors import BadRequest

LEAST_FILES, LEAST_CHARACTERS = 4, 8_000
FEW_QUESTIONS = 60  # with fewer, an interval is wide: said in the preflight
REPLAY_SHARE = 0.2  # with a tenth, a run was seen to lose 0.04 of edit similarity on general code
PROBE_STEPS, PROBE_ROWS = 3, 96
LATENESS = 1.5  # of the minutes asked for: then a run on a machine that became slower ends
MICRO_BATCH = 4  # blocks in memory at once; what the probe computes in a step
LARGEST_BATCH, SMALLEST_BATCH, FEW_STEPS = 8, 2, 150  # blocks of a step
GENERAL_QUESTIONS = 80
PREFIX_CHARACTERS, SUFFIX_CHARACTERS = 24_000, 8_000  # of a question, as an editor sends them


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """How much is wanted: passes over the repository at most, and minutes at most."""

    epochs: float = 4.0
    minutes: float = 12.0
    length: int | None = None
    rate: float | None = None
    rank: int = 16
    seed: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Preflight:
    """What is known before training; printed, and part of the receipt."""

    plan: TrainPlan
    epoch_tokens: int
    epochs: float
    seconds_a_step: float
    memory_bytes: int
    notes: tuple[str, ...]

    def to_wire(self) -> dict[str, Any]:
        return {
            "epoch_tokens": self.epoch_tokens,
            "epochs": round(self.epochs, 2),
            "steps": self.plan.steps,
            "seconds_a_step": round(self.seconds_a_step, 3),
            "minutes": round(self.plan.steps * self.seconds_a_step / 60, 1),
            "memory_bytes": self.memory_bytes,
            "notes": list(self.notes),
            "plan": self.plan.to_wire(),
        }


def check_enough(dataset: Dataset) -> None:
    """Raises BadRequest with what is missing and what can be changed."""
    characters = sum(len(file.text) for file in dataset.train)
    if len(dataset.train) >= LEAST_FILES and characters >= LEAST_CHARACTERS:
        return
    reasons = ", ".join(
        f"{count} {reason}" for reason, count in _reasons(dataset).items()
    ) or "none was rejected"  # fmt: skip
    raise BadRequest(
        f"There is too little to learn from: {len(dataset.train)} usable files with"
        f" {characters:,} characters; {LEAST_FILES} files and {LEAST_CHARACTERS:,} characters are"
        f" needed ({reasons}).",
        remedy="Name a folder with more code, or use retrieval alone: it needs no training.",
    )


def _reasons(dataset: Dataset) -> dict[str, int]:
    counts = dataset.counts()["rejected"]
    assert isinstance(counts, dict)
    return counts


class Preparation:
    """Makes rows of a dataset for one base model."""

    def __init__(
        self,
        dataset: Dataset,
        base: BaseModel,
        general: Sequence[SourceFile],
        canaries: Sequence[Canary],
        effort: Effort,
        *,
        place: Path,
    ) -> None:
        """`place`: a folder for the indexes of related text, until `close`."""
        check_enough(dataset)
        self._dataset = dataset
        self._base = base
        self._effort = effort
        self._general = general
        self._files = [*dataset.train, *map(canary_file, canaries)]
        self.length = min(effort.length or base.length, base.length)
        self._related = RelatedText(dataset.train, place / "own")
        self._of_general = RelatedText(general, place / "general")
        self._maker = self._row_maker(self._related)
        self._replayer = self._row_maker(self._of_general)

    def close(self) -> None:
        """Delete the indexes."""
        self._related.close()
        self._of_general.close()

    def _row_maker(self, related: RelatedText) -> RowMaker:
        return RowMaker(
            self._base.tokenizer,
            self._base.prompt_format,
            length=self.length,
            end_token=self._base.end_token,
            related=related,
        )

    def preflight(self, *, blocks_a_step: int = LARGEST_BATCH) -> Preflight:
        """Probe the machine and plan the run."""
        rows = list(itertools.islice(self._maker.epoch(self._files, seed=0), PROBE_ROWS))
        if not rows:
            raise BadRequest("No sample of this repository fits the model's context.")
        mean = sum(len(row.token_ids) for row in rows) / len(rows)
        epoch_tokens = int(mean * self._maker.turns(self._files))
        blocks = list(pack(rows, self.length))
        probe_plan = TrainPlan(
            length=self.length,
            steps=PROBE_STEPS,
            blocks_a_step=min(MICRO_BATCH, len(blocks)),
            micro_blocks=min(MICRO_BATCH, len(blocks)),
            rank=self._effort.rank,
        )
        trainable = self._base.trainable(probe_plan)
        trainer = Trainer(trainable, blocks, probe_plan, pad=self._base.pad)
        began = time.monotonic()
        for step in range(PROBE_STEPS):
            if step == 1:  # the first one finds nothing in place
                began = time.monotonic()
            trainer.step(step)
        seconds = (time.monotonic() - began) / (PROBE_STEPS - 1)
        seconds *= blocks_a_step / probe_plan.blocks_a_step
        # A short run learns more from many small steps than from few large ones.
        while self._effort.minutes * 60 / seconds < FEW_STEPS and blocks_a_step > SMALLEST_BATCH:
            blocks_a_step, seconds = blocks_a_step // 2, seconds / 2
        # A block is not quite full, and some rows are of general code.
        per_step = blocks_a_step * sum(len(r.token_ids) for r in rows) / len(blocks)
        wanted = self._effort.epochs * epoch_tokens / (1 - REPLAY_SHARE) / per_step
        affordable = self._effort.minutes * 60 / seconds
        steps = max(8, int(min(wanted, affordable)))
        plan = replace(
            probe_plan,
            steps=steps,
            blocks_a_step=blocks_a_step,
            micro_blocks=min(MICRO_BATCH, blocks_a_step),
            rate=self._effort.rate or rate_for(self._base.parameters),
            measure_every=max(4, steps // 12),
            warm_up=max(2, min(20, steps // 10)),
            seconds=LATENESS * 60 * self._effort.minutes,
            seed=self._effort.seed,
            checkpoint_gradients=self._base.parameters > 500_000_000,
        )
        return Preflight(
            plan=plan,
            epoch_tokens=epoch_tokens,
            epochs=self._effort.epochs * steps / max(wanted, 1e-9),
            seconds_a_step=seconds,
            memory_bytes=int(psutil.Process().memory_info().rss),
            notes=self._notes(steps, wanted),
        )

    def _notes(self, steps: int, wanted: float) -> tuple[str, ...]:
        notes = list(self._dataset.snapshot.notes)
        if steps < 0.5 * wanted:
            notes.append(
                f"the time allows {steps} of {int(wanted)} steps: give more --minutes, or a"
                " faster machine"
            )
        questions = len(self._dataset.asked)
        if questions < FEW_QUESTIONS:
            notes.append(
                f"only {questions} held-out questions: a gain will be hard to prove; use --since"
                " with an earlier revision"
            )
        return tuple(notes)

    def rows(self, plan: TrainPlan) -> list[Row]:
        """As many as the plan can take, epoch by epoch, general code among them."""
        budget = plan.steps * plan.blocks_a_step * plan.length
        found, used = list[Row](), 0
        general = self._endless(self._replayer, self._general, plan.seed + 500)
        own = self._endless(self._maker, self._files, plan.seed)
        for number in itertools.count():
            replay = self._general and number % round(1 / REPLAY_SHARE) == 0
            row = next(general if replay else own)
            used += len(row.token_ids)
            if used > budget and found:
                return found
            found.append(row)
        raise AssertionError("a count does not end")

    def _endless(self, maker: RowMaker, files: Sequence[SourceFile], seed: int) -> Any:
        return itertools.chain.from_iterable(
            maker.epoch(files, seed=seed + epoch) for epoch in itertools.count()
        )

    def steering_rows(self) -> list[Row]:
        """The steering questions as rows, with related text."""
        rows = [
            self._maker.infill_row(
                question.file, question.hole, question.hole.suffix, self._snippets(question)
            )
            for question in self._dataset.steering
        ]
        return [row for row in rows if row is not None]

    def asked(self) -> list[Asked]:
        """What the receipt asks about this repository."""
        return [
            _asked(question.file, question.hole, self._snippets(question))
            for question in self._dataset.asked
        ]

    def general_asked(self, files: Sequence[SourceFile]) -> list[Asked]:
        """What the receipt asks about code that everybody has."""
        held = [HeldOut(file=file, new=None) for file in files]
        drawn = draw_questions(held, None, count=GENERAL_QUESTIONS, seed=13)
        return [_asked(question.file, question.hole, ()) for question in drawn]

    def _snippets(self, question: Question) -> Any:
        hole = question.hole
        file = question.file
        return self._related.related(file.path, file.language, hole.prefix, hole.suffix)


def _asked(file: SourceFile, hole: Hole, snippets: Any) -> Asked:
    prefix = hole.prefix[-PREFIX_CHARACTERS:]
    if len(prefix) < len(hole.prefix):
        prefix = prefix[prefix.find("\n") + 1 :]
    return Asked(
        kind=hole.kind,
        mode=hole.mode,
        truth=hole.middle,
        context=CodeContext(
            path=file.path,
            language=file.language,
            prefix=prefix,
            suffix=hole.suffix[:SUFFIX_CHARACTERS],
            snippets=snippets,
        ),
    )
