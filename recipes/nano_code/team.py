"""Processes that share one step: each takes the next few rows as soon as it is free.

Two cores that other programs use as well are never equally fast. Threads inside an operator wait
for the slower core at every operator; here each process computes whole items (a few rows) on one
thread and only the end of the step is common. Weights, gradients and momentum lie in shared
memory; each process updates the matrices that are its own. With one process (a GPU) the same
code runs with nothing shared.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.context import ForkContext
from multiprocessing.sharedctypes import Synchronized, SynchronizedArray
from multiprocessing.synchronize import Barrier as BarrierType

import torch
from torch import Tensor

BARRIER_TIMEOUT_S = 900.0


@dataclass(kw_only=True)
class Order:
    """What the leader asks of everybody for one step."""

    stop: bool
    first_row: int
    factor: float


@dataclass(kw_only=True)
class Team:
    """Shared state of `size` processes. `gradients` is [size, parameters]."""

    size: int
    gradients: Tensor
    next_item: Synchronized[int]
    order: SynchronizedArray[float]
    losses: SynchronizedArray[float]
    barrier: BarrierType
    views: list[dict[str, Tensor]] = field(default_factory=list)

    @classmethod
    def of(cls, model: torch.nn.Module, size: int, context: ForkContext) -> Team:
        """Lay out shared memory for the gradients of `model`; before any process is forked."""
        named = list(model.named_parameters())
        total = sum(parameter.numel() for _, parameter in named)
        gradients = torch.zeros(size, total, device=named[0][1].device)
        if size > 1:
            model.share_memory()
            gradients.share_memory_()
        team = cls(
            size=size,
            gradients=gradients,
            next_item=context.Value(ctypes.c_int, 0),
            order=context.Array(ctypes.c_double, 3),
            losses=context.Array(ctypes.c_double, size),
            barrier=context.Barrier(size),
        )
        for rank in range(size):
            views, at = dict[str, Tensor](), 0
            for name, parameter in named:
                flat = gradients[rank, at : at + parameter.numel()]
                views[name], at = flat.view_as(parameter), at + parameter.numel()
            team.views.append(views)
        return team

    def give(self, order: Order) -> None:
        """The leader's word for the next step; read after the next `wait`."""
        self.next_item.value = 0
        self.order[:] = [float(order.stop), float(order.first_row), order.factor]

    def take(self) -> Order:
        """The word of the leader."""
        stop, first_row, factor = self.order[:]
        return Order(stop=bool(stop), first_row=int(first_row), factor=factor)

    def wait(self) -> None:
        """Until everybody is here. A member that died breaks the barrier for all."""
        self.barrier.wait(BARRIER_TIMEOUT_S)

    def items(self, count: int) -> Iterator[int]:
        """Numbers of items that nobody else has taken."""
        while True:
            with self.next_item.get_lock():
                item = self.next_item.value
                self.next_item.value = item + 1
            if item >= count:
                return
            yield item

    def sum_into(self, rank: int, names: list[str]) -> None:
        """Add the others' gradients of `names` to those of `rank`."""
        for name in names:
            for other in range(self.size):
                if other != rank:
                    self.views[rank][name].add_(self.views[other][name])
