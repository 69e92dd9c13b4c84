"""Tiny training runs, in this process or in forked ones that may be killed."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from glm_codegen.finetune.packing import pack
from glm_codegen.finetune.ranks import Ranks, Spread
from glm_codegen.finetune.samples import Row
from glm_codegen.finetune.train_plan import TrainPlan
from glm_codegen.finetune.train_state import Look, TrainState
from glm_codegen.finetune.trainable import Trainable, build_trainable
from glm_codegen.finetune.training_loop import Block, Trainer, Watch
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.device import TorchAccelerator, choose_placement
from tests.runtime.tiny_models import END

LENGTH = 48
FORK = multiprocessing.get_context("fork")


def plan(**changes: Any) -> TrainPlan:
    base = {
        "length": LENGTH, "steps": 12, "blocks_a_step": 4, "micro_blocks": 2, "rank": 8,
        "rate": 0.02, "warm_up": 2, "measure_every": 3, "patience": 99,
        "dropout": 0.05,
    }  # fmt: skip
    return TrainPlan(**(base | changes))


def blocks() -> list[Block]:
    """Rows that repeat a few patterns, which a model can learn."""
    chance = random.Random(4)
    patterns = [[chance.randrange(256) for _ in range(6)] for _ in range(3)]
    rows = []
    for _ in range(60):
        ids = [*(chance.choice(patterns) * 4)[: chance.randint(12, 24)], END]
        rows.append(Row(token_ids=tuple(ids), weights=(0.4,) * (len(ids) - 3) + (1.0, 1.0)))
    return list(pack(rows, LENGTH))


def trainable(folder: Path, chosen: TrainPlan) -> Trainable:
    placement = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())
    return build_trainable(open_checkpoint(folder), placement, chosen)


def trainer(folder: Path, chosen: TrainPlan, ranks: Ranks | None = None) -> Trainer:
    return Trainer(trainable(folder, chosen), blocks(), chosen, pad=END, ranks=ranks)


def watch(
    *,
    measure: Callable[[Trainable], Look] | None = None,
    stop: Callable[[], bool] = lambda: False,
    stepped: Callable[[Any], None] = lambda _: None,
) -> Watch:
    found = measure or (lambda _: Look(score=0.5, exact=0.0, loss=1.0))  # the latest is the best
    return Watch(stepped=stepped, measure=found, looked=lambda _: None, stop=stop)


def run(folder: Path, at: Path, chosen: TrainPlan, resume: bool = False) -> TrainState:
    torch.set_num_threads(1)
    return trainer(folder, chosen).run(at, watch(), resume=resume)


def in_process(work: Callable[..., object], *arguments: Any) -> Any:
    """A forked process at `work`, started."""
    process = FORK.Process(target=_guarded, args=(work, arguments))
    process.start()
    return process


def _guarded(work: Callable[..., object], arguments: Sequence[Any]) -> None:
    torch.set_num_threads(1)
    work(*arguments)
    os._exit(0)  # nothing of the test's own process is to be cleaned up here


def one_of_several(
    folder: Path, at: Path, chosen: TrainPlan, rank: int, world: int, spread: Spread, meet: Path
) -> None:
    """A process of a distributed run: its matrices go to `at`, written by the first."""
    torch.distributed.init_process_group(
        "gloo", init_method=meet.as_uri(), rank=rank, world_size=world
    )
    ranks = Ranks(rank=rank, world=world, spread=spread)
    made = trainer(folder, chosen, ranks)
    state = made.run(at, watch())
    if rank == 0:
        assert state.best is not None
        from glm_codegen.finetune.run_files import write_tensors

        write_tensors(at / "matrices.safetensors", state.best.matrices, {})
    ranks.leave()
