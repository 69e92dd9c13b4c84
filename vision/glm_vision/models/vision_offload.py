"""Keep the vision weights off the device until an image comes.

The visual experts, the image encoder and the adapter are about two thirds of CogVLM-17B, and a
step over text alone needs none of them. Their weights stay where they are (host memory, or a
mapped file); each piece is copied to the device for the length of its own call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import nn


class SeeingModel(Protocol):
    """A model that can say which of its modules serve image tokens only."""

    def vision_pieces(self) -> Iterator[nn.Module]: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


class VisionOffload:
    """`fetches` counts the pieces copied so far: it stands still while text is decoded."""

    def __init__(self, model: SeeingModel, device: torch.device) -> None:
        """Move everything else to `device` and hook the vision pieces. For inference only."""
        self.device = device
        self.fetches = 0
        pieces = list(model.vision_pieces())
        held = {id(weight) for piece in pieces for weight in piece.parameters()}
        for weight in model.parameters():
            if id(weight) not in held:
                weight.data = weight.data.to(device)
        for piece in pieces:
            piece.register_forward_pre_hook(self._fetch)
            piece.register_forward_hook(self._release, always_call=True)
        self._home: dict[int, torch.Tensor] = {}

    def _fetch(self, piece: nn.Module, _: Any) -> None:
        self.fetches += 1
        for weight in piece.parameters():
            self._home[id(weight)] = weight.data
            weight.data = weight.data.to(self.device)

    def _release(self, piece: nn.Module, *_: Any) -> None:
        for weight in piece.parameters():
            weight.data = self._home.pop(id(weight))
