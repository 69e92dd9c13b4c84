"""The training loop of nano-code, on a CPU or a GPU; from shards to a checkpoint.

`python -m recipes.nano_code.train --minutes 90 [--resume | --init-from models/nano-code]`.
Muon moves the matrices, AdamW the embedding, norms and biases; the learning rate follows the
clock (`schedule.py`), so a run ends well whenever it is told to. SIGTERM saves and leaves.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from recipes.nano_code import checkpoint
from recipes.nano_code.checkpoint import Progress
from recipes.nano_code.download import OUT
from recipes.nano_code.model import NanoConfig, NanoGlm
from recipes.nano_code.row_store import RowStore
from recipes.nano_code.samples import LENGTH, shard_folder
from recipes.nano_code.schedule import Horizon, rate_factor
from recipes.nano_code.team import Order
from recipes.nano_code.trainer import StepSize, Trainer, validation_loss
from recipes.nano_code.weights import read_weights

RUN = OUT / "run"
LOG_EVERY, SAVE_EVERY_S, VALIDATE_EVERY_S = 20, 300.0, 600.0


@dataclass(kw_only=True)
class Stop:
    """Set by a signal; the loop looks at it between steps."""

    asked: bool = False

    def ask(self, *_: object) -> None:
        """Signal handler."""
        self.asked = True


def follow(trainer: Trainer, rank: int, size: StepSize, compiled: bool) -> None:
    """Life of a process that is not the leader."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    trainer.join(rank)
    if compiled:
        trainer.compile()
    store = RowStore(shard_folder(size.length), "train")
    while True:
        trainer.team.wait()
        order = trainer.team.take()
        if order.stop:
            return
        trainer.share_of_step(rank, store, order, size)


def append_curve(row: list[object]) -> None:
    """Add one line to the loss curve; head line first."""
    path = RUN / "curve.csv"
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if new:
            writer.writerow(["step", "tokens", "seconds", "loss", "held_out_loss", "rate"])
        writer.writerow(row)


def lead(trainer: Trainer, progress: Progress, size: StepSize, limit_s: float) -> Progress:
    """Run to the horizon, the limit or a signal; saves along the way and at the end."""
    stop, horizon = Stop(), Horizon(path=RUN / "minutes")
    signal.signal(signal.SIGTERM, stop.ask)
    signal.signal(signal.SIGINT, stop.ask)
    trainer.join(0)
    team, store = trainer.team, RowStore(shard_folder(size.length), "train")
    began = time.monotonic() - progress.elapsed_s
    total_s, losses = horizon.seconds(), list[float]()
    last_save = last_validation = time.monotonic()
    while True:
        elapsed = time.monotonic() - began
        factor = rate_factor(step=progress.step, elapsed_s=elapsed, total_s=total_s)
        order = Order(
            stop=elapsed >= min(total_s, limit_s) or stop.asked,
            first_row=progress.rows,
            factor=factor,
        )
        team.give(order)
        team.wait()
        if order.stop:
            break
        trainer.share_of_step(0, store, order, size)
        losses.append(sum(team.losses[:]))
        progress = replace(
            progress,
            step=progress.step + 1,
            tokens=progress.tokens + size.rows * size.length,
            rows=progress.rows + size.rows,
            elapsed_s=time.monotonic() - began,
        )
        if progress.step % LOG_EVERY == 0:
            total_s = horizon.seconds()
            mean, losses = sum(losses) / len(losses), []
            held_out = ""
            if time.monotonic() - last_validation > VALIDATE_EVERY_S:
                held_out = f"{validation_loss(trainer.model, trainer.device):.4f}"
                last_validation = time.monotonic()
            append_curve([progress.step, progress.tokens, round(progress.elapsed_s, 1),
                          round(mean, 4), held_out, round(factor, 4)])  # fmt: skip
            print(f"step {progress.step} tokens {progress.tokens} {progress.elapsed_s:.0f} s "
                  f"loss {mean:.3f} {held_out} rate {factor:.3f}", flush=True)  # fmt: skip
        if time.monotonic() - last_save > SAVE_EVERY_S:
            checkpoint.save(RUN / "checkpoint.safetensors", trainer.tensors(), progress)
            last_save = time.monotonic()
    checkpoint.save(RUN / "checkpoint.safetensors", trainer.tensors(), progress)
    return progress


def main() -> None:
    """Set the run up from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, required=True, help="over all resumes")
    parser.add_argument("--horizon", type=float, help="minutes to plan for, if later resumed")
    parser.add_argument("--rows", type=int, default=8, help="rows a step")
    parser.add_argument("--length", type=int, default=LENGTH, help="targets of a row")
    parser.add_argument("--item-rows", type=int, default=2, help="rows a process takes at once")
    parser.add_argument("--processes", type=int, default=2, help="on a CPU, one thread each")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--init-from", type=Path, help="model folder to start from")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    device = torch.accelerator.current_accelerator() or torch.device("cpu")
    processes = arguments.processes if device.type == "cpu" else 1
    # One thread from the very start: a thread pool does not survive a fork.
    torch.set_num_threads(1)
    torch.manual_seed(0)
    size = StepSize(rows=arguments.rows, item_rows=arguments.item_rows, length=arguments.length)
    Horizon(path=RUN / "minutes").set(arguments.horizon or arguments.minutes)
    trainer = Trainer(NanoGlm(NanoConfig()).to(device), processes)
    progress = Progress(length=size.length)
    if arguments.resume:
        tensors, progress = checkpoint.load(RUN / "checkpoint.safetensors")
        trainer.load(tensors)
        if progress.length != size.length:
            progress = replace(progress, rows=0, length=size.length)
    elif arguments.init_from:
        trainer.model.load_state_dict(read_weights(arguments.init_from))
    # Without --horizon the file `minutes` alone rules, so that it may be moved while training.
    limit = arguments.minutes if arguments.horizon else float("inf")
    fork = multiprocessing.get_context("fork")
    for rank in range(1, processes):
        fork.Process(
            target=follow, args=(trainer, rank, size, arguments.compile), daemon=True
        ).start()
    if arguments.compile:
        trainer.compile()
    progress = lead(trainer, progress, size, 60 * limit)
    print(f"done: {progress}; held-out loss {validation_loss(trainer.model, device):.4f}")


if __name__ == "__main__":
    main()
