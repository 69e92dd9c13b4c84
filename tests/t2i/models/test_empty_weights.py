"""Networks without values: filling them would import torch's compiler (1.9 s of CPU time)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from glm_t2i.models.coglm import CogLM
from glm_t2i.models.empty_weights import empty_weights
from glm_t2i.models.hvqvae import HvqVae, released_config
from tests.t2i.tiny_networks import sizes


class Recorder(TorchFunctionMode):
    """Names of the functions that reach it from the modes inside."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        self.names.add(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def fills(names: set[str]) -> set[str]:
    kinds = ("normal_", "uniform_", "fill_", "zero_", "ones_", "zeros_", "constant_")
    return {name for name in names if name.endswith(kinds)}


def test_nothing_is_filled() -> None:
    with Recorder() as recorder, empty_weights():
        models = (HvqVae(released_config()), CogLM(sizes(positions=9, vocabulary=64)))
    assert recorder.names
    assert fills(recorder.names) == set()
    assert all(tensor.is_meta for model in models for tensor in model.state_dict().values())


def test_modules_are_filled_again_afterwards() -> None:
    with empty_weights():
        nn.Linear(2, 2)
    assert nn.Embedding(50, 4).weight.std() > 0.5
    assert torch.zeros(3).fill_(2).tolist() == [2, 2, 2]
