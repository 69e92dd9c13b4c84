"""Which models this daemon may load, by the names that requests use.

The default is the one `serve --model` names. Names only: whether a folder is sound is found
out by the worker that loads it.
"""

from __future__ import annotations

from dataclasses import dataclass

from glm_daemon.engine_families import FAKE_MODEL, LOADERS
from glm_daemon.serve_options import ServeOptions
from glm_protocol.errors import ModelUnknown
from glm_runtime.engine import EngineOptions

BUNDLED_MODEL = "nano-code"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelPlan:
    """How to load one model."""

    loader: str  # "module:function"
    options: EngineOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelTable:
    """The names and how to load each."""

    default: str
    device: str | None = None
    dtype: str | None = None
    threads: int | None = None

    @classmethod
    def from_options(cls, options: ServeOptions) -> ModelTable:
        return cls(
            default=options.model or BUNDLED_MODEL,
            device=options.device,
            dtype=options.dtype,
            threads=options.threads,
        )

    def names(self) -> list[str]:
        return [self.default]

    def resolve(self, name: str | None) -> ModelPlan:
        """The plan of a registered name, or of the default for None. Raises ModelUnknown."""
        chosen = self.default if name is None else name
        if chosen not in self.names():
            raise ModelUnknown("There is no model of this name here.")
        family = "fake" if chosen == FAKE_MODEL else "code"
        options = EngineOptions(
            model=chosen, device=self.device, dtype=self.dtype, threads=self.threads
        )
        return ModelPlan(loader=LOADERS[family], options=options)
