"""The training loop, from the first step to the last: one process or several, CPU or GPU.

A step takes `blocks_a_step` blocks, in micro-batches that are halved when memory runs out: the
gradient is the same, since each target's loss is divided by the weight of the whole step. Every
`measure_every` steps held-out quality is measured and a checkpoint is written; a run that is
killed goes on from there and, on a CPU with one thread, ends in the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from glm_codegen.finetune.packing import to_batch
from glm_codegen.finetune.ranks import Ranks
from glm_codegen.finetune.samples import Row
from glm_codegen.finetune.train_plan import TrainPlan
from glm_codegen.finetune.train_state import Best, Look, TrainState, load_state, save_state
from glm_codegen.finetune.trainable import Trainable, whole
from glm_protocol.errors import EngineFailed
from glm_runtime.decode import is_out_of_memory

Block = tuple[Row, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReport:
    """What a progress line shows. `rate_tokens` a second; `seconds_left` is an estimate."""

    step: int
    steps: int
    loss: float
    tokens_a_second: float
    seconds_left: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What the loop tells and asks: a line a step, quality when it is time, whether to stop."""

    stepped: Callable[[StepReport], None]
    measure: Callable[[Trainable], Look]
    looked: Callable[[Look], None]
    stop: Callable[[], bool]


class Interrupted(Exception):
    """Stopped on request, with a checkpoint written."""


class Trainer:
    """One run. `blocks` are all of it, in order, the same in every process."""

    def __init__(
        self,
        trainable: Trainable,
        blocks: Sequence[Block],
        plan: TrainPlan,
        *,
        pad: int,
        ranks: Ranks | None = None,
    ) -> None:
        self.trainable = trainable
        self.plan = plan
        self._blocks = blocks
        self._pad = pad
        self._ranks = ranks or Ranks()
        if plan.blocks_a_step % self._ranks.world:
            raise ValueError("blocks_a_step must be a multiple of the processes")
        self._ranks.shard(trainable.network)
        self._parameters = [parameter for _, parameter in trainable.parameters]
        self._adam = torch.optim.AdamW(
            self._parameters, lr=plan.rate, betas=(0.9, 0.95), weight_decay=plan.weight_decay
        )
        self._micro = min(plan.micro_blocks, plan.blocks_a_step // self._ranks.world)

    def run(self, folder: Path, watch: Watch, *, resume: bool = False) -> TrainState:
        """Train to the end, or until no better look came for a while.

        Raises Interrupted, DiskFull, or EngineFailed when one block alone does not fit.
        """
        state = self._resume(folder) if resume else TrainState()
        plan, began, first, before = self.plan, time.monotonic(), state.step, state.seconds
        device = self.trainable.device
        while state.step < plan.steps and not state.exhausted(plan.patience):
            if self._ranks.total(float(0 < plan.seconds <= state.seconds), device) > 0:
                if state.best is None or state.looks[-1].step < state.step:
                    state = self._look(state, watch)
                    self._save(folder, state)
                break
            loss, tokens = self.step(state.step)
            elapsed = time.monotonic() - began
            state = replace(
                state, step=state.step + 1, tokens=state.tokens + tokens, seconds=before + elapsed
            )
            pace = elapsed / (state.step - first)
            watch.stepped(
                StepReport(
                    step=state.step,
                    steps=plan.steps,
                    loss=loss,
                    tokens_a_second=tokens / pace,
                    seconds_left=pace * (plan.steps - state.step),
                )
            )
            state = replace(state, losses=(*state.losses, loss))
            stop = self._ranks.total(float(watch.stop()), device) > 0
            if state.step % plan.measure_every == 0 or state.step == plan.steps:
                state = self._look(state, watch)
                self._save(folder, state)
            elif stop:
                self._save(folder, state)
            if stop:
                raise Interrupted
        return state

    def step(self, number: int) -> tuple[float, int]:
        """One update; (loss, tokens). Raises EngineFailed when one block alone does not fit."""
        plan, ranks, count = self.plan, self._ranks, len(self._blocks)
        first = number * plan.blocks_a_step
        chosen = [self._blocks[(first + i) % count] for i in range(plan.blocks_a_step)]
        mass = sum(sum(row.weights) for block in chosen for row in block)
        own = chosen[ranks.rank :: ranks.world]
        loss = self._accumulate(own, number, mass)
        ranks.sum_gradients(self._parameters)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, plan.clip)
        if not bool(torch.isfinite(whole(norm))):
            raise EngineFailed(
                f"The gradient of step {number} is not finite.",
                remedy="Train again with a smaller --rate; the last checkpoint is sound.",
            )
        for group in self._adam.param_groups:
            group["lr"] = plan.rate_at(number)
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        tokens = sum(len(row.token_ids) for block in chosen for row in block)
        return ranks.total(loss, self.trainable.device), tokens

    def _accumulate(self, own: Sequence[Block], number: int, mass: float) -> float:
        """Add up the gradients of this process's blocks; begins anew in halves without memory."""
        while True:
            try:
                self._adam.zero_grad(set_to_none=True)
                loss = 0.0
                for start in range(0, len(own), self._micro):
                    # Dropout is drawn anew for each block by its number: the same after a resume.
                    torch.manual_seed(self.plan.seed + 1009 * number + start)
                    batch = to_batch(own[start : start + self._micro], self.plan.length, self._pad)
                    part = self.trainable.loss_sum(batch) / mass
                    scaled: Any = part * self._ranks.loss_factor
                    scaled.backward()
                    loss += float(part.detach())
                return loss
            except (MemoryError, RuntimeError) as error:
                if not (isinstance(error, MemoryError) or is_out_of_memory(error)):
                    raise
                self._halve(error)

    def _halve(self, error: BaseException) -> None:
        if self._micro == 1 or self._ranks.sharded:  # sharded processes must stay in step
            raise EngineFailed(
                "There is not enough memory to train on one block.",
                remedy="Train a smaller model, or shorter blocks: --length 256.",
            ) from error
        self._micro //= 2
        if torch.accelerator.is_available():
            torch.accelerator.memory.empty_cache()

    def _look(self, state: TrainState, watch: Watch) -> TrainState:
        """Measure held-out quality; keep the matrices if they are the best so far."""
        self.trainable.network.eval()
        look = replace(watch.measure(self.trainable), step=state.step)
        self.trainable.network.train()
        looks = (*state.looks, look)
        if state.best is None or look.score >= state.best.look.score:
            best = Best(look=look, matrices=self.trainable.matrices())
            state = replace(state, best=best)
        if self._ranks.leads:
            watch.looked(look)
        return replace(state, looks=looks)

    def _save(self, folder: Path, state: TrainState) -> None:
        tensors = {f"now.{name}": tensor for name, tensor in self.trainable.matrices().items()}
        for name, parameter in self.trainable.parameters:
            for key, value in self._adam.state.get(parameter, {}).items():
                tensors[f"adam.{key}.{name}"] = whole(value).detach().cpu().contiguous()
        if self._ranks.leads:
            save_state(folder, state, tensors)

    def _resume(self, folder: Path) -> TrainState:
        """The newest checkpoint; from the start where there is none."""
        found = load_state(folder)
        if found is None:
            return TrainState()
        state, tensors = found
        if self._ranks.sharded:
            self._take_shards(tensors)
        else:
            now = {n.removeprefix("now."): t for n, t in tensors.items() if n.startswith("now.")}
            self.trainable.load_matrices(now)
        for name, parameter in self.trainable.parameters:
            keys = ("step", "exp_avg", "exp_avg_sq")
            self._adam.state[parameter] = {
                key: _like(parameter, tensors[f"adam.{key}.{name}"]) for key in keys
            }
        return state

    def _take_shards(self, tensors: dict[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.trainable.parameters:
                stored = tensors[f"now.{name.replace('.default.', '.')}"]
                parameter.copy_(_like(parameter, stored))


def _like(parameter: Any, stored: torch.Tensor) -> torch.Tensor:
    """A stored tensor where and how `parameter` lies; counters stay plain."""
    if stored.ndim == 0:
        return stored
    if hasattr(parameter, "device_mesh"):
        from torch.distributed.tensor import distribute_tensor

        spread: torch.Tensor = distribute_tensor(
            stored.to(parameter.device), parameter.device_mesh, parameter.placements
        )
        return spread
    return stored.to(parameter.device)
