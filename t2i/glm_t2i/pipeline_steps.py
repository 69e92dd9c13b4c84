"""Steps of a diffusers pipeline, told between any two of them, also where it has no callback.

Most pipelines call back after each denoising step. GLM-Image first writes some hundred codes with
a language model and says nothing meanwhile, and some pipelines have no callback at all: there the
passes of the network are counted. Whatever `on_step` raises leaves the pipeline at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from glm_t2i.stepped_call import OnStep

CALLBACK = "callback_on_step_end"
_WRITERS = ("vision_language_encoder",)  # write codes one by one before anything is denoised
_DENOISERS = ("transformer", "unet", "prior")


class StepCount:
    """Steps done and expected; what is expected may turn out to be more."""

    def __init__(self, on_step: OnStep, steps: int) -> None:
        self._on_step, self._done, self._steps = on_step, 0, steps

    def expect(self, more: int) -> None:
        self._steps += more

    def one(self) -> None:
        self._done += 1
        self._on_step(self._done, max(self._steps, self._done))


@contextmanager
def counted(
    pipeline: Any, takes: frozenset[str], *, steps: int, on_step: OnStep
) -> Iterator[dict[str, Any]]:
    """Yields what the pipeline has to be called with besides; `steps` of denoising are expected."""
    count = StepCount(on_step, steps)
    parts = {name: part for name, part in _parts(pipeline) if isinstance(part, nn.Module)}
    hooks = [_count_codes(parts[name], count) for name in _WRITERS if name in parts]
    more: dict[str, Any] = {}
    if CALLBACK in takes:
        more[CALLBACK] = _callback(count)
    else:
        hooks += [
            parts[name].register_forward_hook(lambda *_: count.one())
            for name in _DENOISERS
            if name in parts
        ]
    try:
        yield more
    finally:
        for hook in hooks:
            hook.remove()


def _parts(pipeline: Any) -> list[tuple[str, Any]]:
    return list(getattr(pipeline, "components", {}).items())


def _callback(count: StepCount) -> Any:
    def after_step(_: Any, __: int, ___: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        count.one()
        return tensors

    return after_step


def _count_codes(writer: nn.Module, count: StepCount) -> Any:
    """A pass of the writer is a code; its first one says how many cells the grids have."""
    told = False

    def after_pass(_: nn.Module, __: Any, words: Mapping[str, Any], ___: Any) -> None:
        nonlocal told
        grids = words.get("image_grid_thw")
        if not told:
            told = True
            count.expect(1 if grids is None else int(grids.prod(dim=-1).sum()) + 1)
        count.one()

    return writer.register_forward_hook(after_pass, with_kwargs=True)
