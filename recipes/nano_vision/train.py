"""The training loop of nano-vision: one process, one thread, pictures drawn as it goes.

`python -m recipes.nano_vision.train --minutes 60 [--resume | --init-from models/nano-vision]`.
Reading comes first: until `--reading-minutes` have passed only text is shown, after that every
kind of picture. Muon moves the matrices, AdamW the rest; the rate follows the clock, and the file
`out/nano_vision/run/minutes` may be rewritten while it runs. SIGTERM saves and leaves.
"""

from __future__ import annotations

import argparse
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.reading_view import GRID
from recipes.nano_code import checkpoint
from recipes.nano_code.checkpoint import Progress
from recipes.nano_code.muon import Muon
from recipes.nano_code.schedule import Horizon, rate_factor
from recipes.nano_code.train import Stop
from recipes.nano_code.weights import read_weights
from recipes.nano_vision.curriculum import Curriculum
from recipes.nano_vision.fast_forward import logits_of
from recipes.nano_vision.fonts import OUT
from recipes.nano_vision.network import build
from recipes.nano_vision.picture_sample import IGNORED, Batch, Packer

RUN = OUT / "run"
MUON_RATE, ADAM_RATE = 0.02, 2e-3
CLIP = 1.0
CELL_WEIGHT = 0.5  # of the loss that reads each patch by itself
TEXT_TOKENS = 112
LOG_EVERY, SAVE_EVERY_S = 20, 240.0


class Trainer:
    """Model and optimisers of one run."""

    def __init__(self, model: CogVLMForCausalLM, *, compiled: bool) -> None:
        self.model = model
        named = [(name, p) for name, p in model.named_parameters() if name != "lm_head.weight"]
        matrices = [(n, p) for n, p in named if p.ndim == 2 and "embed" not in n]
        held = {name for name, _ in matrices}
        self.others = [(name, p) for name, p in named if name not in held]
        self.muon = Muon(matrices)
        parameters = [p for _, p in self.others]
        self.adam = torch.optim.AdamW(parameters, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0)
        self.loss = torch.compile(self._loss) if compiled else self._loss

    def _loss(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        pixels, tokens, targets, segments, starts, cells = batch
        with torch.autocast("cpu", dtype=torch.bfloat16):
            text, slots = logits_of(self.model, pixels, tokens, segments, starts)
        said = F.cross_entropy(
            text.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        ) / (targets != IGNORED).sum().clamp_min(1)
        read = F.cross_entropy(
            slots.flatten(0, 1).float(), cells.flatten(), ignore_index=IGNORED, reduction="sum"
        ) / (cells != IGNORED).sum().clamp_min(1)
        return said, read

    def step(self, batch: Batch, factor: float) -> tuple[float, float]:
        """One update; both losses in nats."""
        said, read = self.loss(
            (batch.pixels_B3SS, batch.tokens_BT, batch.targets_BT, batch.segments_BT,
             batch.starts_BT, batch.cells_BN)
        )  # fmt: skip
        (said + CELL_WEIGHT * read).backward()
        torch.nn.utils.clip_grad_norm_([p for _, p in self.others], CLIP)
        self.muon.step(MUON_RATE * factor)
        self.adam.param_groups[0]["lr"] = ADAM_RATE * factor
        self.adam.step()
        self.model.zero_grad(set_to_none=True)
        return float(said.detach()), float(read.detach())

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs."""
        found = {n: t for n, t in self.model.state_dict().items() if n != "lm_head.weight"}
        found |= self.muon.state()
        for name, parameter in self.others:
            for key, value in self.adam.state.get(parameter, {}).items():
                found[f"adam.{key}.{name}"] = value
        return found

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `tensors` gave."""
        self.take_weights(tensors)
        self.muon.load(tensors)
        for name, parameter in self.others:
            self.adam.state[parameter] = {
                key: tensors[f"adam.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
            }

    def take_weights(self, tensors: dict[str, Tensor]) -> None:
        """The weights alone."""
        own = {n: t for n, t in tensors.items() if n.startswith("model.")}
        missing, _ = self.model.load_state_dict(own, strict=False)
        assert set(missing) <= {"lm_head.weight"}, missing


def run(trainer: Trainer, progress: Progress, rows: int, reading_s: float) -> Progress:
    """To the horizon or a signal; saves along the way and at the end."""
    stop, horizon = Stop(), Horizon(path=RUN / "minutes")
    signal.signal(signal.SIGTERM, stop.ask)
    signal.signal(signal.SIGINT, stop.ask)
    curriculum = Curriculum.of_fonts(random.Random(progress.step))
    packer = Packer(TEXT_TOKENS, GRID * GRID)
    began = time.monotonic() - progress.elapsed_s
    total_s, last_save = horizon.seconds(), time.monotonic()
    said_sum = read_sum = drawing_s = 0.0
    while not stop.asked:
        elapsed = time.monotonic() - began
        if elapsed >= total_s:
            break
        before = time.monotonic()
        batch = packer.batch([curriculum.sample(elapsed >= reading_s) for _ in range(rows)])
        drawing_s += time.monotonic() - before
        factor = rate_factor(step=progress.step, elapsed_s=elapsed, total_s=total_s)
        said, read = trainer.step(batch, factor)
        said_sum, read_sum = said_sum + said, read_sum + read
        progress = replace(
            progress,
            step=progress.step + 1,
            tokens=progress.tokens + int((batch.targets_BT != IGNORED).sum()),
            rows=progress.rows + rows,
            elapsed_s=time.monotonic() - began,
        )
        if progress.step % LOG_EVERY == 0:
            total_s = horizon.seconds()
            line = (progress.step, progress.rows, round(progress.elapsed_s, 1),
                    round(said_sum / LOG_EVERY, 4), round(read_sum / LOG_EVERY, 4),
                    round(factor, 4), round(drawing_s, 1))  # fmt: skip
            said_sum = read_sum = 0.0
            with (RUN / "curve.csv").open("a", encoding="utf-8") as stream:
                stream.write(",".join(map(str, line)) + "\n")
            print("step rows seconds said read rate drawing", line, flush=True)
        if time.monotonic() - last_save > SAVE_EVERY_S:
            checkpoint.save(RUN / "checkpoint.safetensors", trainer.tensors(), progress)
            last_save = time.monotonic()
    checkpoint.save(RUN / "checkpoint.safetensors", trainer.tensors(), progress)
    return progress


def main() -> None:
    """Set the run up from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, required=True, help="over all resumes")
    parser.add_argument("--reading-minutes", type=float, default=10.0)
    parser.add_argument("--rows", type=int, default=16, help="pictures a step")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--init-from", type=Path, help="model folder to start from")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    RUN.mkdir(parents=True, exist_ok=True)
    Horizon(path=RUN / "minutes").set(arguments.minutes)
    trainer = Trainer(build(), compiled=arguments.compile)
    progress = Progress(length=TEXT_TOKENS)
    if arguments.resume:
        tensors, progress = checkpoint.load(RUN / "checkpoint.safetensors")
        trainer.load(tensors)
    elif arguments.init_from:
        trainer.take_weights(read_weights(arguments.init_from))
    progress = run(trainer, progress, arguments.rows, 60 * arguments.reading_minutes)
    print(f"done: {progress}")


if __name__ == "__main__":
    main()
