"""The training loop of nano-code: one pass from shards to a checkpoint, on a CPU or a GPU.

`python -m recipes.nano_code.train --minutes 95 [--resume | --init-from models/nano-code]`.
Muon moves the matrices, AdamW the embedding, norms and biases; the learning rate follows the
clock (`schedule.py`), so a run ends well whenever it is told to. SIGTERM saves and leaves.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recipes.nano_code import checkpoint
from recipes.nano_code.checkpoint import Progress
from recipes.nano_code.download import OUT
from recipes.nano_code.model import NanoConfig, NanoGlm, weighted_loss
from recipes.nano_code.muon import Muon
from recipes.nano_code.samples import SHARDS
from recipes.nano_code.schedule import Horizon, rate_factor
from recipes.nano_code.weights import read_weights

RUN = OUT / "run"
MUON_RATE, ADAM_RATE = 0.02, 3e-3
CLIP = 1.0
LOG_EVERY, SAVE_EVERY_S, VALIDATE_EVERY_S = 20, 300.0, 600.0
Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(kw_only=True)
class Stop:
    """Set by a signal; the loop looks at it between steps."""

    asked: bool = False

    def ask(self, *_: object) -> None:
        """Signal handler."""
        self.asked = True


def as_batch(tokens: np.ndarray, weights: np.ndarray, device: torch.device) -> Batch:
    """Inputs, targets and weights [B, T] on the device."""
    ids = torch.from_numpy(tokens.astype(np.int64)).to(device)
    return ids[:, :-1], ids[:, 1:], torch.from_numpy(weights).to(device).float() / 100


def batches(first_row: int, rows: int, device: torch.device) -> Iterator[Batch]:
    """Batches of `rows` rows from row `first_row` on; begins anew after the last shard.

    Shards may be added while training runs: the folder is read again at each shard's end.
    """
    skip = first_row
    for epoch in itertools.count():
        number = 0
        while True:
            path = SHARDS / f"train-{number:04d}.npz"
            if not path.exists():
                break
            number += 1
            with np.load(path) as shard:
                tokens, weights = shard["tokens"], shard["weights"]
            if skip >= len(tokens):
                skip -= len(tokens)
                continue
            order = np.random.default_rng(epoch * 7919 + number).permutation(len(tokens))
            for start in range(skip, len(tokens) - rows + 1, rows):
                chosen = order[start : start + rows]
                yield as_batch(tokens[chosen], weights[chosen], device)
            skip = 0
        if number == 0:
            raise SystemExit("no shards: run recipes.nano_code.samples first")


@torch.no_grad()
def validation_loss(model: torch.nn.Module, device: torch.device, rows: int = 64) -> float:
    """Weighted loss in nats on the first rows of the held-out shard."""
    path = SHARDS / "held-out-0000.npz"
    if not path.exists():
        return float("nan")
    with np.load(path) as shard:
        tokens, weights = shard["tokens"][:rows], shard["weights"][:rows]
    total = mass = 0.0
    for start in range(0, len(tokens), 8):
        inputs, targets, weight = as_batch(
            tokens[start : start + 8], weights[start : start + 8], device
        )
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits = model(inputs)
        total += float(weighted_loss(logits, targets, weight) * weight.sum())
        mass += float(weight.sum())
    return total / mass


class Trainer:
    """Model and optimisers of one run; `step` is one update."""

    def __init__(self, model: NanoGlm, *, compiled: bool) -> None:
        """Split the parameters between Muon and AdamW."""
        self.model = model
        self.run: torch.nn.Module = model
        if compiled:
            self.run = torch.compile(model)  # type: ignore[assignment]
        named = list(model.named_parameters())
        matrices = [(n, p) for n, p in named if p.ndim == 2 and "embed" not in n]
        self.others = [(n, p) for n, p in named if p.ndim != 2 or "embed" in n]
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW(
            [p for _, p in self.others], lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0
        )

    def step(self, batch: Batch, factor: float) -> Tensor:
        """One update; the loss in nats as a scalar tensor."""
        inputs, targets, weights = batch
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16):
            logits = self.run(inputs)
        loss = weighted_loss(logits, targets, weights)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([p for _, p in self.others], CLIP)
        self.muon.step(MUON_RATE * factor)
        self.adam.param_groups[0]["lr"] = ADAM_RATE * factor
        self.adam.step()
        self.model.zero_grad(set_to_none=True)
        return loss.detach()

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs."""
        found = dict(self.model.state_dict()) | self.muon.state()
        for name, parameter in self.others:
            for key, value in self.adam.state.get(parameter, {}).items():
                found[f"adam.{key}.{name}"] = value
        return found

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `tensors` gave."""
        self.model.load_state_dict({n: t for n, t in tensors.items() if n.startswith("model.")})
        self.muon.load(tensors)
        for name, parameter in self.others:
            self.adam.state[parameter] = {
                key: tensors[f"adam.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
            }


def append_curve(row: list[object]) -> None:
    """Add one line to the loss curve; head line first."""
    path = RUN / "curve.csv"
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if new:
            writer.writerow(["step", "tokens", "seconds", "loss", "held_out_loss", "rate"])
        writer.writerow(row)


def train(trainer: Trainer, progress: Progress, rows: int, device: torch.device) -> Progress:
    """Run to the horizon or a signal; saves along the way and at the end."""
    stop, horizon = Stop(), Horizon(path=RUN / "minutes")
    signal.signal(signal.SIGTERM, stop.ask)
    signal.signal(signal.SIGINT, stop.ask)
    began = time.monotonic() - progress.elapsed_s
    total_s, losses = horizon.seconds(), list[Tensor]()
    last_save, last_validation = time.monotonic(), time.monotonic()
    for batch in batches(progress.rows, rows, device):
        elapsed = time.monotonic() - began
        if elapsed >= total_s or stop.asked:
            break
        factor = rate_factor(step=progress.step, elapsed_s=elapsed, total_s=total_s)
        losses.append(trainer.step(batch, factor))
        progress = replace(
            progress,
            step=progress.step + 1,
            tokens=progress.tokens + batch[0].numel(),
            rows=progress.rows + rows,
            elapsed_s=time.monotonic() - began,
        )
        if progress.step % LOG_EVERY == 0:
            total_s = horizon.seconds()
            mean, losses = float(torch.stack(losses).mean()), []
            held_out: object = ""
            if time.monotonic() - last_validation > VALIDATE_EVERY_S:
                held_out, last_validation = validation_loss(trainer.run, device), time.monotonic()
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
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--rows", type=int, default=8, help="rows a step")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--init-from", type=Path, help="model folder to start from")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.accelerator.current_accelerator() or torch.device("cpu")
    Horizon(path=RUN / "minutes").set(arguments.minutes)
    trainer = Trainer(NanoGlm(NanoConfig()).to(device), compiled=arguments.compile)
    progress = Progress()
    if arguments.resume:
        tensors, progress = checkpoint.load(RUN / "checkpoint.safetensors")
        trainer.load(tensors)
    elif arguments.init_from:
        trainer.model.load_state_dict(read_weights(arguments.init_from))
    progress = train(trainer, progress, arguments.rows, device)
    print(f"done: {progress}; held-out loss {validation_loss(trainer.run, device):.4f}")


if __name__ == "__main__":
    main()
