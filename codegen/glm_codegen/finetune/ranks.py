"""One process of a training run, or one of several: what is summed, gathered, said once.

Started by torchrun there are several (`RANK`, `WORLD_SIZE` are set); else one. `REPLICA` gives
each a whole base and sums the adapter's gradients (what DDP does, without its wrapper, so that a
micro-batch may be halved on one process alone). `SHARDED` spreads the base over the processes
(FSDP2, `fully_shard`), and is checked to have happened.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import distributed, nn


class Spread(StrEnum):
    """How several processes share the base model."""

    REPLICA = "replica"
    SHARDED = "sharded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """`rank` of `world` processes."""

    rank: int = 0
    world: int = 1
    spread: Spread = Spread.REPLICA

    @classmethod
    def join(cls, spread: Spread = Spread.REPLICA) -> Ranks:
        """Meet the others when torchrun started us."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls(spread=spread)
        if not distributed.is_initialized():
            on_gpu = torch.accelerator.is_available()
            if on_gpu:
                torch.accelerator.set_device_index(int(os.environ["LOCAL_RANK"]))
            distributed.init_process_group("nccl" if on_gpu else "gloo")
        return cls(rank=distributed.get_rank(), world=world, spread=spread)

    def wait(self) -> None:
        """Until every process is here."""
        if self.world > 1:
            distributed.barrier()

    def leave(self) -> None:
        if self.world > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    @property
    def restarted(self) -> bool:
        """Whether torchrun started the processes anew because one had died: go on, not anew."""
        return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    @property
    def sharded(self) -> bool:
        return self.world > 1 and self.spread is Spread.SHARDED

    def total(self, value: float, device: torch.device) -> float:
        """The sum of every process's `value`."""
        if self.world == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=device)
        distributed.all_reduce(tensor)
        return float(tensor)

    def sum_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Sum over processes; FSDP2 has done so (as a mean, hence `loss_factor`)."""
        if self.world == 1 or self.sharded:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            distributed.all_reduce(parameter.grad)

    @property
    def loss_factor(self) -> float:
        """What a local loss is multiplied with so that summed gradients come out."""
        return float(self.world) if self.sharded else 1.0

    def shard(self, network: Any) -> None:
        """Spread layer by layer, then the rest. Raises RuntimeError if nothing was spread.

        Some wrappers accept a sharding configuration and train replicas all the same (measured:
        accelerate on a CPU), so what came of it is looked at.
        """
        if not self.sharded:
            return
        from torch.distributed.fsdp import fully_shard
        from torch.distributed.tensor import DTensor

        for module in network.modules():
            if isinstance(module, nn.ModuleList):
                for layer in module:
                    fully_shard(layer)
        fully_shard(network)
        parameters = list(network.parameters())
        if not all(isinstance(parameter, DTensor) for parameter in parameters):
            raise RuntimeError("the model was not sharded, though it was asked to be")
        held = sum(parameter.to_local().numel() for parameter in parameters)
        if held > 0.9 * sum(parameter.numel() for parameter in parameters):
            raise RuntimeError("every process holds the whole model, though it was to be sharded")
