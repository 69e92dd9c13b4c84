"""`generate` of a transformers model, one token at a time and stoppable between two of them.

`generate` runs in a thread of its own and hands each token over; the caller takes them one by
one, so that an engine's step stays short. The KV cache, the positions of images and whatever else
a family does between tokens are its own business, which is why `generate` is not written anew.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How the next token is chosen. `temperature` 0 is greedy; `seed` repeats a choice."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None

    def as_arguments(self) -> dict[str, Any]:
        """Arguments of `generate`."""
        if self.temperature <= 0:
            return {"max_new_tokens": self.max_tokens, "do_sample": False,
                    "temperature": None, "top_p": None, "top_k": None}  # fmt: skip
        return {
            "max_new_tokens": self.max_tokens,
            "do_sample": True,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": 0,
        }


class _Asked(StoppingCriteria):
    """True for every row once `stopped` is set."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        del scores, kwargs
        return torch.full((len(input_ids),), self._stopped.is_set(), device=input_ids.device)


class _Handover(BaseStreamer):
    """Puts each step's tokens, one a row, into a queue; the prompt comes first and is dropped."""

    def __init__(self, tokens: queue.SimpleQueue[list[int] | BaseException | None]) -> None:
        self._tokens = tokens
        self._prompt_seen = False

    def put(self, value: torch.Tensor) -> None:
        if self._prompt_seen:
            self._tokens.put(value.flatten().tolist())
        self._prompt_seen = True

    def end(self) -> None:
        pass


class TokenStream:
    """Tokens of one call of `generate`, for all its rows. Close it when no more are wanted."""

    def __init__(self, model: Any, inputs: Mapping[str, Any], sampling: Sampling) -> None:
        self._tokens: queue.SimpleQueue[list[int] | BaseException | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(model, inputs, sampling), name="generate", daemon=True
        )
        self._thread.start()

    def next(self) -> list[int] | None:
        """The next token of each row, or None at the end. Raises what `generate` raised."""
        found = self._tokens.get()
        if not isinstance(found, list):
            self._thread.join()
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """Stop after the token in progress and wait for it."""
        self._stopped.set()
        self._thread.join()

    def _run(self, model: Any, inputs: Mapping[str, Any], sampling: Sampling) -> None:
        try:
            with torch.inference_mode():
                if sampling.seed is not None:
                    torch.manual_seed(sampling.seed)
                model.generate(
                    **inputs,
                    **sampling.as_arguments(),
                    streamer=_Handover(self._tokens),
                    stopping_criteria=StoppingCriteriaList([_Asked(self._stopped)]),
                )
            self._tokens.put(None)
        except BaseException as error:  # noqa: BLE001, handed to the caller's thread
            self._tokens.put(error)
