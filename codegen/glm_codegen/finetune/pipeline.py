"""A run from repository to receipt, step by step; each step leaves files that the next one reads.

    prepare   dataset, rows, questions, plan     run.json rows.safetensors questions.json
    train     the loop                           checkpoint-* adapter/
    prove     the receipt through the daemon     receipt.json report.html curve.png
    publish   onto the shelf, or aside

So a run that was killed goes on at the step that it was in. Under torchrun every process trains,
and the first one does the rest.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from glm_codegen.finetune.base_model import BaseModel, open_base
from glm_codegen.finetune.canaries import exposure, make_canaries
from glm_codegen.finetune.dataset import ASKED_QUESTIONS, build_dataset
from glm_codegen.finetune.general_code import general_files
from glm_codegen.finetune.held_out import look_at
from glm_codegen.finetune.packing import pack
from glm_codegen.finetune.preparation import Effort, Preflight, Preparation
from glm_codegen.finetune.ranks import Ranks, Spread
from glm_codegen.finetune.repository import read_repository
from glm_codegen.finetune.run_folder import RunFolder
from glm_codegen.finetune.train_plan import TrainPlan
from glm_codegen.finetune.train_state import Look, TrainState
from glm_codegen.finetune.trainable import Trainable
from glm_codegen.finetune.training_loop import StepReport, Trainer, Watch
from glm_protocol.errors import BadRequest
from glm_protocol.folders import Folders

ADAPTER = "adapter"
Tell = Callable[[str, Mapping[str, Any]], None]  # kind of event, its words


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the command line or a job asks for."""

    repository: Path
    name: str
    model: str | None = None
    since: str | None = None
    effort: Effort = field(default_factory=Effort)
    questions: int = ASKED_QUESTIONS
    device: str | None = None
    dtype: str | None = None
    spread: Spread = Spread.REPLICA


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What a dry run gives: the files and the preflight, or why it cannot run."""

    files: dict[str, object]
    snapshot: dict[str, object]
    preflight: Preflight


class Pipeline:
    """One run in its folder."""

    def __init__(
        self, wanted: Wanted, folders: Folders, tell: Tell, stop: Callable[[], bool]
    ) -> None:
        self.wanted = wanted
        self.folder = RunFolder(folders.home, wanted.name)
        self._folders = folders
        self._tell = tell
        self._stop = stop

    def listen(self) -> None:
        """From now on events go to the run's folder too."""
        self._tell("opened", {"folder": self.folder})

    def look(self) -> Looked:
        """The preflight alone; writes nothing. Raises GlmError."""
        with tempfile.TemporaryDirectory(prefix="glm-finetune-") as place:
            looked, preparation, _ = self._look(Path(place))
            preparation.close()
            return looked

    def _look(self, place: Path) -> tuple[Looked, Preparation, BaseModel]:
        wanted = self.wanted
        self._tell("reading", {"repository": str(wanted.repository)})
        snapshot = read_repository(wanted.repository, since=wanted.since)
        dataset = build_dataset(snapshot, questions=wanted.questions)
        files = dataset.counts()
        self._tell("files", files)
        base = self._base()
        replayed, _ = general_files()
        preparation = Preparation(
            dataset, base, replayed, make_canaries(wanted.effort.seed), wanted.effort, place=place
        )
        self._tell("probing", {"device": base.placement.kind})
        preflight = preparation.preflight()
        about: dict[str, object] = {
            "commit": snapshot.commit,
            "cut": snapshot.cut,
            "split": snapshot.split.value,
            "remote": snapshot.remote,
            "held_out_questions": len(dataset.asked),
            "steering_questions": len(dataset.steering),
            "model": base.name,
        }
        self._tell("preflight", {**about, **preflight.to_wire()})
        return Looked(files=files, snapshot=about, preflight=preflight), preparation, base

    def prepare(self) -> None:
        """Write what training needs, in place of what an earlier run left."""
        looked, preparation, base = self._look(self.folder.workspace)
        self.folder.clear()
        plan = looked.preflight.plan
        began = time.monotonic()
        rows = preparation.rows(plan)
        self.folder.write_rows(rows, preparation.steering_rows())
        _, asked = general_files()
        self.folder.write_questions(
            own=preparation.asked(), general=preparation.general_asked(asked)
        )
        preparation.close()
        self._tell("rows", {"rows": len(rows), "seconds": round(time.monotonic() - began, 1)})
        self.folder.write(
            "run.json",
            {
                "version": 1,
                "repository": str(self.wanted.repository.resolve()),
                "model": base.name,
                "fingerprint": base.fingerprint,
                "prompt_format": base.prompt_format.name,
                "files": looked.files,
                "snapshot": looked.snapshot,
                "preflight": looked.preflight.to_wire(),
                "plan": plan.to_wire(),
            },
        )

    def train(self, *, resume: bool, ranks: Ranks) -> Trained:
        """Run the loop on what was prepared. Raises GlmError, Interrupted."""
        run = self.folder.read("run.json")
        base = self._base(str(run["model"]))
        if run["fingerprint"] != base.fingerprint:
            raise BadRequest(
                f"The model {base.name} is not the one that this run began with.",
                remedy="Begin anew, without --resume.",
            )
        plan = TrainPlan(**run["plan"])
        rows, steering = self.folder.read_rows()
        trainable = base.trainable(plan)
        trainer = Trainer(trainable, list(pack(rows, plan.length)), plan, pad=base.pad, ranks=ranks)
        watch = Watch(
            stepped=self._stepped,
            measure=lambda network: look_at(network, steering, pad=base.pad),
            looked=lambda look: self._tell("look", asdict(look)),
            stop=self._stop,
        )
        if not resume and ranks.leads:
            trainable.network.eval()
            first = look_at(trainable, steering, pad=base.pad) if ranks.world == 1 else None
            trainable.network.train()
            if first is not None:
                self._tell("look", asdict(first))
        state = trainer.run(self.folder.path, watch, resume=resume)
        assert state.best is not None
        if ranks.leads:
            trainable.write(self.folder.path / ADAPTER, state.best.matrices, base.name)
        return Trained(state=state, base=base, trainable=trainable)

    def canary(self, trained: Trained) -> dict[str, Any]:
        """Exposure of what was planted, of the best matrices."""
        trainable = trained.trainable
        assert trained.state.best is not None
        trainable.load_matrices(trained.state.best.matrices)
        trainable.network.eval()
        canaries = make_canaries(self.wanted.effort.seed)
        bits = [
            exposure(trainable, trained.base.tokenizer, canary, trained.base.pad)
            for canary in canaries
        ]
        return {"planted": len(bits), "exposure_bits": [round(one, 2) for one in bits], "most": 8.0}

    def _base(self, model: str | None = None) -> BaseModel:
        wanted = self.wanted
        return open_base(
            self._folders, model or wanted.model, device=wanted.device, dtype=wanted.dtype
        )

    def _stepped(self, report: StepReport) -> None:
        self._tell("step", {key: _round(value) for key, value in asdict(report).items()})


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What training left in memory, for the canaries."""

    state: TrainState
    base: BaseModel
    trainable: Trainable

    @property
    def best(self) -> Look:
        assert self.state.best is not None
        return self.state.best.look


def _round(value: float) -> float:
    return value if isinstance(value, int) else round(value, 4)


def resumed(wanted: Wanted, run: Mapping[str, Any]) -> Wanted:
    """What a run was asked for, by its own folder."""
    return replace(wanted, repository=Path(run["repository"]), model=str(run["model"]))
