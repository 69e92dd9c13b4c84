"""What the engine asks of any picture model: one picture at a time, drawn step by step.

A painter is a generator function, so that the engine can put a completion, a cancel or another
picture between any two steps. It gives pixels of its own size; exact size, transparency, palette
and file are the engine's business (`picture_finish`, `png_file`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image


@dataclass(frozen=True, kw_only=True, slots=True)
class Painting:
    """One picture to be drawn. `width`, `height`: what the user asked for, in pixels.

    `given` and `region` (one size; white in `region` is drawn anew) where a picture is changed.
    `options`: words that only some painters know, as the request brought them.
    `previews`: how often the picture so far is wanted meanwhile, where the painter has one.
    """

    prompt: str
    width: int
    height: int
    seed: int
    temperature: float = 1.0
    given: Image.Image | None = None
    region: Image.Image | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    previews: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """`step` of `steps` are done; `preview`: the picture so far, where one was wanted."""

    step: int
    steps: int
    preview: Image.Image | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Painted:
    """RGB or RGBA of the model's own size. `score`: how well the prompt fits, higher is better,
    comparable for one prompt; None where the model cannot say."""

    picture: Image.Image
    score: float | None = None


Strokes = Iterator[Step | Painted]


class Painter(Protocol):
    """A loaded picture model."""

    @property
    def architecture(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def dtype(self) -> str: ...

    @property
    def memory_bytes(self) -> int: ...

    @property
    def context_length(self) -> int: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    def check(self, painting: Painting) -> None:
        """Raises GlmError on what it will not draw, before anything is computed."""
        ...

    def paint(self, painting: Painting) -> Strokes:
        """Steps, then the picture, last. Raises GlmError."""
        ...
