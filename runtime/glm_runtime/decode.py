"""Tokens in, logits out, a bounded piece at a time: the only place that runs the model.

One row: a prompt is prefilled in chunks, so that a cancel is seen inside a long one, then each
step adds a token. This is where a scheduler of many rows would take over: it would hold many
caches and hand the rows of one step to one forward. Nothing here knows text.

Legend: B batch (1), T tokens of this forward, V vocabulary.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from glm_protocol.errors import EngineFailed
from glm_runtime.causal_model import CausalModel, Logits
from glm_runtime.drafting import Drafter
from glm_runtime.kv_cache import KVCache
from glm_runtime.native.native_placement import CPU, NativePlacement
from glm_runtime.thread_count import ThreadCount

if TYPE_CHECKING:
    from glm_runtime.device import Placement
    from glm_runtime.kv_shelf import KVShelf
    from glm_runtime.lora_weights import LoraWeights

# Tokens of a chunk of prefill. A cancel waits for one chunk at most, so the size follows the
# speed of the machine: it is halved above the longest time and doubled below the shortest.
SMALLEST_CHUNK, FIRST_CHUNK, LARGEST_CHUNK = 64, 128, 512
LONGEST_CHUNK_S, SHORTEST_CHUNK_S = 0.04, 0.012


class Decoder:
    """A model, its placement, and the keys and values of the conversation that it is in."""

    def __init__(
        self,
        model: CausalModel,
        placement: Placement | NativePlacement,
        *,
        chunk: int | None = None,
        threads: ThreadCount | None = None,
    ) -> None:
        """`chunk`: a fixed size, in tokens; `threads` None: the model's count is left as it is."""
        self._model = model
        self._threads = threads
        self._chunk = FIRST_CHUNK if chunk is None else chunk
        self._chunk_is_fixed = chunk is not None
        self.placement: Placement | NativePlacement = placement
        self.notes: tuple[str, ...] = placement.notes
        self.cache = KVCache(model.new_store())
        self._lora: LoraWeights | None = None  # what the cache was computed with
        self._pending: list[int] = []
        # Only where a wide step gives the bits of single ones (tests compare) may it look ahead.
        self._drafter = Drafter() if hasattr(model, "forward_rows") else None
        self._shelf = _shelf_for(model)
        self._ahead: list[tuple[int, Logits]] = []  # guessed tokens with the logits after each
        self._proposed = 0
        self.steps = 0  # forwards of `step`, of which guesses save some
        self.tokens = 0  # tokens that `step` was given

    def warm_up(self) -> None:
        """Compute a chunk and a step, so that the first request finds everything in place."""
        positions = self._model.positions
        length = self._chunk + 1 if positions is None else min(self._chunk + 1, positions - 1)
        if length < 1:
            return
        self.begin([0] * length)
        while self._pending:
            self.prefill()
        self.step(0)
        self.cache.clear()

    def begin(self, prompt: Sequence[int], lora: LoraWeights | None = None) -> int:
        """Take up a prompt, computed with an adapter or none; returns how many of its tokens
        need no computing: none when the last one was computed with another adapter.

        Raises ModelUnusable for an adapter that does not fit.
        """
        assert prompt, "a prompt has at least one token"
        self._drop_guesses()  # before the cache they are in is given up
        if self._shelf is not None:
            self.cache = self._shelf.take(prompt, lora)
        elif lora is not self._lora:
            self.cache = KVCache(self._model.new_store(lora))
        self._lora = lora
        if self._threads is not None and self.placement.kind == CPU:
            self._model.use_threads(self._threads.advise())
        if self._drafter is not None:
            self._drafter.begin(prompt)
        reused = self.cache.keep_common(prompt)
        self._pending = list(prompt[reused:])
        return reused

    def prefill(self) -> Logits | None:
        """Compute one chunk. Returns logits_V after the prompt's last token, None before that.

        Raises EngineFailed when memory runs out; what was kept is then forgotten.
        """
        tokens, self._pending = self._pending[: self._chunk], self._pending[self._chunk :]
        began = time.perf_counter()
        logits_V = self._forward(tokens)
        if not self._chunk_is_fixed and len(tokens) == self._chunk:
            self._chunk = next_chunk(self._chunk, time.perf_counter() - began)
        return None if self._pending else logits_V

    def step(self, token: int) -> Logits:
        """Add a token; returns logits_V for the next. Raises EngineFailed as `prefill` does."""
        assert not self._pending, "step before the prompt was prefilled"
        self.tokens += 1
        if self._drafter is None:
            self.steps += 1
            return self._forward([token])
        self._drafter.add(token)
        if self._ahead and self._ahead[0][0] == token:
            return self._ahead.pop(0)[1]
        self._drop_guesses()
        return self._step_ahead(token, self._drafter)

    def _step_ahead(self, token: int, drafter: Drafter) -> Logits:
        """A step that looks at guesses too; what they gave is kept until it is asked for.

        Plain and speculated text are the same, whatever chooses the tokens: a logits row is only
        used when the token before it was really chosen.
        """
        from glm_runtime.native.native_model import NativeModel, NativeStore, RowTokens

        self.steps += 1
        room = (self._model.positions or 1 << 30) - len(self.cache.tokens) - 1
        tokens = [token, *drafter.propose()[: max(0, room)]]
        began = time.perf_counter()
        model, store = self._model, self.cache.store
        if len(tokens) == 1:
            logits_V = self._forward(tokens)
        else:
            assert isinstance(model, NativeModel)
            assert isinstance(store, NativeStore)
            try:
                row = RowTokens(store=store, tokens=tokens, wanted=len(tokens))
                logits_NV = model.forward_rows([row])[0]
            except MemoryError:  # there may still be room for one
                return self._forward([token])
            self.cache.tokens += tokens
            logits_V = logits_NV[0]
            self._ahead = list(zip(tokens[1:], logits_NV[1:], strict=True))
            self._proposed = len(self._ahead)
        drafter.took(len(tokens), time.perf_counter() - began)
        return logits_V

    def _drop_guesses(self) -> None:
        """Forget guesses that were not taken: the cache holds what is certain again."""
        if self._drafter is not None and self._proposed:
            wrong = len(self._ahead)
            self._drafter.learn(proposed=self._proposed, accepted=self._proposed - wrong)
            if wrong:
                certain = len(self.cache.tokens) - wrong
                self.cache.store.cut(certain)
                del self.cache.tokens[certain:]
        self._ahead, self._proposed = [], 0

    def _forward(self, tokens: list[int]) -> Logits:
        try:
            logits_V = self._model.forward(tokens, self.cache.store)
        except NotImplementedError as error:
            held = [*self.cache.tokens, *tokens]
            self._fall_back(error)
            for start in range(0, len(held), self._chunk):
                part = held[start : start + self._chunk]
                logits_V = self._model.forward(part, self.cache.store)
                self.cache.tokens += part
            return logits_V
        except (MemoryError, RuntimeError) as error:
            if (
                isinstance(error, MemoryError)
                and self._shelf is not None
                and self._shelf.forget_others()
            ):
                return self._forward(tokens)
            self.cache.clear()
            if isinstance(error, MemoryError) or is_out_of_memory(error):
                raise EngineFailed(
                    "There was not enough memory for this request.",
                    remedy="Send less text, close other programs, or choose a smaller model.",
                ) from error
            raise
        self.cache.tokens += tokens
        return logits_V

    def _fall_back(self, error: NotImplementedError) -> None:
        """Move to the CPU for good, and say so. Raises `error` where we are there already."""
        self.cache.clear()
        if self.placement.kind == CPU:
            raise error
        import torch

        from glm_runtime.device import Placement

        assert isinstance(self.placement, Placement)
        reason = " ".join(str(error).split())[:200]
        note = f"fell back from {self.placement.kind} to cpu: {reason}"
        dtype = torch.float32 if self.placement.dtype == torch.float16 else self.placement.dtype
        self._model.move(torch.device(CPU), dtype)
        self.notes = (*self.notes, note)
        self.placement = Placement(
            kind=CPU,
            device=torch.device(CPU),
            dtype=dtype,
            memory_budget_bytes=self.placement.memory_budget_bytes,
            notes=self.notes,
        )


def _shelf_for(model: CausalModel) -> KVShelf | None:
    """Only the native engine's stores are pages, cheap to keep beside each other."""
    if not hasattr(model, "forward_rows"):
        return None
    from glm_runtime.kv_shelf import KVShelf
    from glm_runtime.native.native_model import NativeModel

    assert isinstance(model, NativeModel)
    return KVShelf(model)


def next_chunk(chunk: int, seconds: float) -> int:
    """Size of the next chunk after one of `chunk` tokens took so long."""
    if seconds > LONGEST_CHUNK_S:
        return max(SMALLEST_CHUNK, chunk // 2)
    if seconds < SHORTEST_CHUNK_S:
        return min(LARGEST_CHUNK, chunk * 2)
    return chunk


def is_out_of_memory(error: RuntimeError) -> bool:
    """Devices raise a class of their own; the CPU's allocator a RuntimeError with these words."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return type(error).__name__ == "OutOfMemoryError" or any(
        word in str(error).lower() for word in words
    )
