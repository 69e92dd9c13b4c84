"""What the engine knows of any model that sees: turns in, tokens out. Two kinds implement it.

`OwnReader` (our CogVLM family) and `TransformersReader` (whatever transformers can load).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from PIL import Image

from glm_vision.token_stream import Sampling, TokenStream


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One turn of a chat. `role` is "system", "user" or "assistant"; pictures precede the text."""

    role: str
    text: str
    pictures: tuple[Image.Image, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """An answer being generated, for one or several questions at once (one row each)."""

    tokens: TokenStream
    rows: int
    prompt_tokens: int  # of all rows
    image_tokens: int  # of them, as the processor counts


class CellReader(Protocol):
    """Reads what stands in every patch of a picture, without saying a word (see `cell_reading`)."""

    def read(self, pictures: Sequence[Image.Image]) -> list[CellText]:
        """Characters; the pictures are laid out by `reading_view`."""
        ...

    def name(self, picture: Image.Image, count: int, names: Sequence[str]) -> list[str]:
        """Which of the names fits each of the first cells; laid out by `thing_view`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class CellText:
    """One character a patch, in reading order, and how sure each is (0..1)."""

    text: str
    sure: tuple[float, ...]


class VisionModel(Protocol):
    """One loaded model with its processor."""

    @property
    def sees(self) -> bool:
        """Whether pictures can be given; found out from the processor, never from a name."""
        ...

    @property
    def taught(self) -> str:
        """Which set of canonical questions it was trained on; "" for a general model."""
        ...

    @property
    def cell_reader(self) -> CellReader | None:
        """Only of a taught model."""
        ...

    @property
    def context_length(self) -> int: ...

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights as they are computed with."""
        ...

    @property
    def stop_ids(self) -> frozenset[int]: ...

    def start(self, rows: Sequence[Sequence[Turn]], sampling: Sampling) -> Started:
        """Begin to answer. Raises PromptTooLong, Unsupported (pictures to a blind model)."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str: ...
