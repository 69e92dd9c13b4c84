"""Model and optimisers of one run, and what one process does in a step; not the loop."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from recipes.nano_code.model import NanoGlm, weighted_loss
from recipes.nano_code.muon import Muon
from recipes.nano_code.row_store import RowStore
from recipes.nano_code.samples import LENGTH, shard_folder
from recipes.nano_code.team import Order, Team

MUON_RATE, ADAM_RATE = 0.02, 3e-3
CLIP = 1.0


@dataclass(frozen=True, kw_only=True)
class StepSize:
    """Rows of a step, rows of the items that a team's members take of it, targets of a row."""

    rows: int
    item_rows: int
    length: int = LENGTH

    def __post_init__(self) -> None:
        """Items must fill a step, and shards of 2,048 rows must fall into items."""
        if self.rows % self.item_rows or 2048 % self.item_rows:
            raise ValueError("item rows must divide the rows of a step and 2048")

    @property
    def items(self) -> int:
        """Items in a step."""
        return self.rows // self.item_rows


@torch.no_grad()
def validation_loss(model: torch.nn.Module, device: torch.device, rows: int = 64) -> float:
    """Weighted loss in nats on the first rows of the held-out shard."""
    store = RowStore(shard_folder(LENGTH), "held-out")
    total = mass = 0.0
    for start in range(0, rows, 8):
        inputs, targets, weight = store.batch(start, 8, device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits = model(inputs)
        total += float(weighted_loss(logits, targets, weight) * weight.sum())
        mass += float(weight.sum())
    return total / mass


class Trainer:
    """Model and optimisers of one run. Made before the team's processes are forked."""

    def __init__(self, model: NanoGlm, size: int) -> None:
        """Split the parameters between Muon (one for each process) and AdamW (the leader's)."""
        self.model = model
        self.device = next(model.parameters()).device
        self.team = Team.of(model, size, multiprocessing.get_context("fork"))
        named = list(model.named_parameters())
        matrices = [(n, p) for n, p in named if p.ndim == 2 and "embed" not in n]
        self.others = [(n, p) for n, p in named if p.ndim != 2 or "embed" in n]
        # A layer's six matrices follow one another: whole layers, dealt out in turn.
        parts = [[m for i, m in enumerate(matrices) if i // 6 % size == r] for r in range(size)]
        self.own = [[name for name, _ in part] for part in parts]
        self.own[0] += [name for name, _ in self.others]
        self.muons = [Muon(part) for part in parts]
        if size > 1:
            for muon in self.muons:
                muon.share()
        self.adam = torch.optim.AdamW(
            [p for _, p in self.others], lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0
        )
        self.loss: Callable[[Tensor, Tensor, Tensor], Tensor] = self._loss

    def _loss(self, inputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16):
            logits = self.model(inputs)
        return weighted_loss(logits, targets, weights)

    def compile(self) -> None:
        """Network and loss in one graph: the softmax over the vocabulary is worth fusing."""
        self.loss = torch.compile(self._loss)

    def join(self, rank: int) -> None:
        """Take this process's gradient buffers."""
        for name, parameter in self.model.named_parameters():
            parameter.grad = self.team.views[rank][name]

    def share_of_step(self, rank: int, store: RowStore, order: Order, size: StepSize) -> None:
        """This process's items, then its part of the update."""
        team, total = self.team, 0.0
        team.gradients[rank].zero_()
        for item in team.items(size.items):
            first = order.first_row + item * size.item_rows
            loss = self.loss(*store.batch(first, size.item_rows, self.device)) / size.items
            loss.backward()
            total += float(loss.detach())
        team.losses[rank] = total
        team.wait()
        with torch.no_grad():
            team.sum_into(rank, self.own[rank])
        self.muons[rank].step(MUON_RATE * order.factor)
        if rank == 0:
            torch.nn.utils.clip_grad_norm_([p for _, p in self.others], CLIP)
            self.adam.param_groups[0]["lr"] = ADAM_RATE * order.factor
            self.adam.step()
        team.wait()

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs."""
        found = dict(self.model.state_dict())
        for muon in self.muons:
            found |= muon.state()
        for name, parameter in self.others:
            for key, value in self.adam.state.get(parameter, {}).items():
                found[f"adam.{key}.{name}"] = value
        return found

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `tensors` gave."""
        self.model.load_state_dict({n: t for n, t in tensors.items() if n.startswith("model.")})
        for muon in self.muons:
            muon.load(tensors)
        for name, parameter in self.others:
            self.adam.state[parameter] = {
                key: tensors[f"adam.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
            }
