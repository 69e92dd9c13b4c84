"""The interface between a worker's loop and a model: submit, step, cancel.

The worker owns the stepping, so that an engine of one row and a scheduler of sixty-four have
the same callers. An engine is used from one thread. `step` does a bounded piece of work (one
chunk of prefill, or one decode step of the running rows), so a cancel is seen soon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from glm_protocol.errors import GlmError

RequestT_contra = TypeVar("RequestT_contra", contravariant=True)
ChunkT_co = TypeVar("ChunkT_co", covariant=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineInfo:
    """What a loaded engine says of itself; plain values that cross the worker's pipe.

    `context_length` is in tokens, prompt and answer together; `memory_bytes` is the weights'
    share; `capabilities` are words of {"infill", "chat", "image_in", "image_out"}.
    """

    model: str
    family: str
    architecture: str
    device: str
    dtype: str
    context_length: int
    memory_bytes: int
    capabilities: tuple[str, ...]
    prompt_format: str = ""
    backend: str = "torch"  # or "native" and the instruction set that it uses
    rows: int = 1  # requests worked on at once; the daemon hands over no more than these
    notes: tuple[str, ...] = ()  # e.g. what fell back, and why

    def to_wire(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> EngineInfo:
        lists = {key: tuple(wire[key]) for key in ("capabilities", "notes")}
        return cls(**{**wire, **lists})


class Engine(Protocol[RequestT_contra, ChunkT_co]):
    """One loaded model at work."""

    @property
    def info(self) -> EngineInfo: ...

    @property
    def busy(self) -> bool:
        """True while `step` has work to do."""
        ...

    def submit(self, request: RequestT_contra, *, tenant: str = "") -> str:
        """Queue a request and return its id. Raises GlmError where it can be refused at once.

        `tenant`: whose it is, as the daemon knows it; what was computed for one is never met by
        another."""
        ...

    def step(self) -> Sequence[tuple[str, ChunkT_co | GlmError]]:
        """Work a little; return what came of it. Each id ends with exactly one end or error."""
        ...

    def cancel(self, request_id: str) -> None:
        """Forget a request: it gives no more chunks, no end either. Unknown ids are ignored."""
        ...


@runtime_checkable
class Rests(Protocol):
    """An engine that has something to do when nothing was asked for a while."""

    def rest(self) -> None:
        """A short piece of work that nobody waits for; also asked when the worker ends."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """How a worker is asked to load a model. None means: decide from the machine."""

    model: str  # registered name, folder, hub id, or "fake"
    device: str | None = None  # torch device type, e.g. "cpu", "xpu", "npu"
    dtype: str | None = None  # "float32", "bfloat16", "float16"
    threads: int | None = None

    def to_wire(self) -> dict[str, Any]:
        return asdict(self)
