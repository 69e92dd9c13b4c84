"""The one place that knows how a device records a forward and plays it again.

A step of a small model on a GPU is mostly launches: some hundred kernels that each take less time
than starting them. A graph starts them all at once. `torch.accelerator.Graph` is one interface
for every vendor's graphs; where a device has none, the same function simply runs each time.
Whoever records keeps its inputs and outputs in the same tensors from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch

from glm_runtime.device import CPU

Run = Callable[[], None]
_WARM_UP_RUNS = 3  # libraries choose their kernels and take their workspaces in the first ones


class GraphCapture(Protocol):
    """`name` for notes and tables."""

    @property
    def name(self) -> str: ...

    def record(self, run: Run) -> Run:
        """What does from now on, when called, what `run` does. `run` may be called meanwhile."""
        ...


class NoGraphs:
    """Each call runs, one launch after the other: on a CPU, and where a device has no graphs."""

    name = "eager"

    def record(self, run: Run) -> Run:
        return run


class AcceleratorGraphs:
    """Graphs of torch's accelerator, in one pool of memory, since only one plays at a time."""

    name = "graphs"

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: tuple[int, int] | None = None

    def record(self, run: Run) -> Run:
        stream = torch.Stream(self._device)  # recording is not possible on the default one
        torch.accelerator.synchronize(self._device)
        with stream:
            for _ in range(_WARM_UP_RUNS):
                run()
        torch.accelerator.synchronize(self._device)
        graph: Any = torch.accelerator.Graph(pool=self._pool)
        with stream, graph:
            run()
        torch.accelerator.synchronize(self._device)
        if self._pool is None:
            self._pool = graph.pool()
        replay: Run = graph.replay
        return replay


def capture_for(device: torch.device) -> GraphCapture:
    """Graphs where the device can record one, tried with an addition; else none."""
    if device.type == CPU:
        return NoGraphs()
    graphs = AcceleratorGraphs(device)
    try:
        one = torch.zeros(1, device=device)
        graphs.record(partial(_add_one, one))()
        torch.accelerator.synchronize(device)
        # The warm-up runs add too; recording itself computes nothing.
        return graphs if one.item() == _WARM_UP_RUNS + 1 else NoGraphs()
    except (RuntimeError, NotImplementedError, AttributeError):
        return NoGraphs()


def _add_one(number: torch.Tensor) -> None:
    number.add_(1)
