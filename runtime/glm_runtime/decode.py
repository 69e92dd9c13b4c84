"""Tokens in, logits out, a bounded piece at a time: the only place that runs the model.

Many strands are at work at once. One step computes a forward for all that it is given: a token
and some guesses of each that decodes, and beside them one chunk of prefill, shared by those whose
prompt is not computed yet, in the caller's order. So no strand that decodes waits for longer than
a chunk, and a cancel is seen inside a long prompt. A model that cannot compute rows together
(`BatchedModel`) computes them one after another. Nothing here knows text.

Legend: V vocabulary, N tokens whose logits are wanted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glm_protocol.errors import EngineFailed
from glm_runtime.causal_model import CausalModel, RowTokens
from glm_runtime.drafting import WIDEST, DraftPace, Guesses, Repetition
from glm_runtime.kv_on_disk import SavedPrefixes
from glm_runtime.kv_shelf import KVShelf
from glm_runtime.native.native_placement import CPU, NativePlacement
from glm_runtime.strand import Strand
from glm_runtime.thread_count import ThreadCount

if TYPE_CHECKING:
    from glm_runtime.device import Placement
    from glm_runtime.lora_weights import LoraWeights

# Tokens of a chunk of prefill. A cancel waits for one chunk at most, so the size follows the
# speed of the machine: it is halved above the longest time and doubled below the shortest.
SMALLEST_CHUNK, FIRST_CHUNK, LARGEST_CHUNK = 64, 128, 512
LONGEST_CHUNK_S, SHORTEST_CHUNK_S = 0.04, 0.012
ROWS = 4  # of a model that computes them one after another
WORTH_SAVING_S = 0.5  # of prefill that a file of keys and values spares
_LOAD_EVERY_S = 0.25  # between two looks at what the rest of the machine does


@dataclass(frozen=True, kw_only=True, slots=True)
class _Portion:
    """What one strand computes in one step: certain tokens, then guesses."""

    strand: Strand
    tokens: list[int]
    guesses: list[int]
    ends: bool  # whether all that is certain is computed with it

    @property
    def wanted(self) -> int:
        return 1 + len(self.guesses) if self.ends else 0


class Decoder:
    """A model, its placement, and the keys and values of the conversations that it is in."""

    def __init__(
        self,
        model: CausalModel,
        placement: Placement | NativePlacement,
        *,
        chunk: int | None = None,
        threads: ThreadCount | None = None,
        rows: int | None = None,
        saved: SavedPrefixes | None = None,
    ) -> None:
        """`chunk`: a fixed size, in tokens; `threads` None: the model's count is left as it is.
        `rows`: strands at once; None: what the model allows. `saved`: keys and values on disk."""
        self._model: Any = model
        self._together = hasattr(model, "forward_rows")
        self._threads = threads
        self._looked_at_load = float("-inf")
        self._chunk = FIRST_CHUNK if chunk is None else chunk
        self._chunk_is_fixed = chunk is not None
        most: int = getattr(model, "most_rows", ROWS)
        self.rows = rows or most
        self.placement: Placement | NativePlacement = placement
        self.notes: tuple[str, ...] = placement.notes
        self.pace = DraftPace()
        self._shelf = KVShelf(model, rows=self.rows, saved=saved)
        self._prefill_speed: float | None = None  # running mean of tokens a second
        self.steps = 0  # of single strands after their prompts, which guesses make fewer
        self.tokens = 0  # that ended strands went on by in them

    @property
    def kv_bytes(self) -> int:
        """Memory of keys and values up to now; 0 where the model does not tell."""
        return int(getattr(self._model, "kv_bytes", 0))

    def warm_up(self) -> None:
        """Compute a chunk and steps, so that the first request finds everything in place."""
        positions = self._model.positions
        length = self._chunk + 1 if positions is None else min(self._chunk + 1, positions - 1)
        if length < 1:
            return
        strand = self.begin([0] * length, guesses=())
        while strand.logits_V is None and strand.error is None:
            self.step([strand])
        for _ in range(3 if positions is None or positions > length + 3 else 1):
            strand.add(0)
            self.step([strand])
        self.end(strand, forget=True)
        self.steps = self.tokens = 0

    def begin(
        self,
        prompt: Sequence[int],
        lora: LoraWeights | None = None,
        *,
        tenant: str = "",
        most: int | None = None,
        guesses: Sequence[Guesses] | None = None,
    ) -> Strand:
        """Take up a prompt, computed with an adapter or none; `reused` of its tokens need no
        computing, because the tenant's earlier prompts began like it.

        `most`: tokens, prompt and answer; None: as many as the model has positions. `guesses`
        None: what the prompt repeats. Raises ModelUnusable for an adapter that does not fit,
        NoRoomNow while others hold the memory, EngineFailed where it could never be enough.
        """
        assert prompt, "a prompt has at least one token"
        positions = self._model.positions
        if most is None:
            most = len(prompt) + 512
        most = max(len(prompt), most if positions is None else min(most, positions))
        cache = self._shelf.take(prompt, lora, tenant=tenant, most=most)
        if not self._together:
            guesses = ()  # a wide step would not give the bits of single ones
        elif guesses is None:
            guesses = (Repetition(prompt),)
        return Strand(cache, prompt, most=most, pace=self.pace, lora=lora, guesses=guesses)

    def end(self, strand: Strand, *, forget: bool = False) -> None:
        """No more of it; what it computed is kept for a prompt that begins so, or forgotten."""
        self.tokens += max(0, strand.decoded - strand.pending)
        strand.drop_guesses(wrong=False)
        if forget or strand.error is not None:
            self._shelf.drop(strand.cache)
        else:
            self._shelf.give_back(strand.cache)

    def save_idle(self) -> None:
        """Nobody asks for anything: what would take long to compute again is written to disk, where
        there is a place. Short prompts of a quick model are not worth a file."""
        if self._prefill_speed is not None:
            self._shelf.save(int(WORTH_SAVING_S * self._prefill_speed))

    def step(self, strands: Sequence[Strand], *, chunk: int | None = None) -> None:
        """One forward for strands without logits, the most urgent first. Those of a prompt share
        one chunk, of `chunk` tokens at most. Afterwards each has logits, an error, or more to
        compute; an error is of one strand alone. Raises whatever else a device raises.
        """
        self._heed_load()
        portions = self._portions(strands, self._room(len(strands)) if chunk is None else chunk)
        self.steps += sum(portion.strand.decodes for portion in portions)
        computed = sum(len(portion.tokens) for portion in portions)
        guessed = sum(len(portion.guesses) for portion in portions)
        prefill = sum(len(p.tokens) for p in portions if not p.strand.decodes)
        began = time.perf_counter()
        if self._together:
            self._compute_together(portions)
        else:
            for portion in portions:
                self._compute_alone(portion)
        seconds = time.perf_counter() - began
        if prefill and prefill == computed:
            before = self._prefill_speed or prefill / seconds
            self._prefill_speed = 0.8 * before + 0.2 * prefill / seconds
        if prefill == self._chunk and not self._chunk_is_fixed:
            self._chunk = next_chunk(self._chunk, seconds)
        if prefill == 0 and computed + guessed <= WIDEST:
            self.pace.took(computed + guessed, seconds)

    def _room(self, rows: int) -> int:
        """Tokens of prefill in a step of so many rows: all of them wait for it. On a processor many
        at once are hardly quicker (5 % from 64 to 256)."""
        small = rows > 1 and self.placement.kind == CPU and not self._chunk_is_fixed
        return min(self._chunk, SMALLEST_CHUNK) if small else self._chunk

    def _heed_load(self) -> None:
        if self._threads is None or self.placement.kind != CPU:
            return
        now = time.monotonic()
        if now - self._looked_at_load >= _LOAD_EVERY_S:
            self._looked_at_load = now
            self._model.use_threads(self._threads.advise())

    def _portions(self, strands: Sequence[Strand], room: int) -> list[_Portion]:
        decoding = [strand for strand in strands if strand.decodes]
        beside = len(decoding)
        found: list[_Portion] = []
        for strand in decoding:
            guesses = strand.propose(beside=beside, most=WIDEST - beside)
            beside += len(guesses)
            found.append(_portion(strand, 1, guesses))
        for strand in strands:
            if strand.decodes or room < 1 or strand.pending < 1:
                continue
            count = min(room, strand.pending)
            room -= count
            ends = count == strand.pending
            guesses = strand.propose(beside=1, most=WIDEST - 1) if ends else []
            found.append(_portion(strand, count, guesses))
            if not self._together:
                break
        return found

    def _compute_together(self, portions: list[_Portion]) -> None:
        """Without memory for all, idle conversations go, then guesses, then the least urgent
        wait; one that has none for itself alone fails."""
        rows = [
            RowTokens(store=p.strand.cache.store, tokens=p.tokens + p.guesses, wanted=p.wanted)
            for p in portions
        ]
        if not rows:
            return
        try:
            answers = self._model.forward_rows(rows)
        except RuntimeError as error:
            self._begin_anew(portions, error)
            return
        except MemoryError:
            if self._shelf.forget_idle():
                self._compute_together(portions)
            elif any(portion.guesses for portion in portions):
                self._compute_together([_portion(p.strand, len(p.tokens), []) for p in portions])
            elif len(portions) > 1:
                self._compute_together(portions[:-1])
            else:
                portions[0].strand.fail(out_of_memory())
            return
        for portion, logits_NV in zip(portions, answers, strict=True):
            portion.strand.computed(portion.tokens + portion.guesses, logits_NV)

    def _compute_alone(self, portion: _Portion) -> None:
        try:
            logits_V = self._model.forward(portion.tokens, portion.strand.cache.store)
        except (MemoryError, RuntimeError) as error:
            self._begin_anew([portion], error)
        else:
            portion.strand.computed(portion.tokens, [logits_V] if portion.ends else [])

    def _begin_anew(self, portions: list[_Portion], error: Exception) -> None:
        """After a forward of torch that failed in the middle: what its strands hold may be
        anything, and is computed again, on the CPU where the device lacks an operator. Without
        memory the least urgent fails, where nothing idle could go. Raises any other error."""
        for portion in portions:
            portion.strand.cache.clear()
        if isinstance(error, NotImplementedError):
            self._fall_back(error)
        elif isinstance(error, RuntimeError) and not is_out_of_memory(error):
            raise error
        elif not self._shelf.forget_idle():
            portions[-1].strand.fail(out_of_memory())

    def _fall_back(self, error: NotImplementedError) -> None:
        """Move to the CPU for good, and say so. Raises `error` where we are there already."""
        if self.placement.kind == CPU:
            raise error
        import torch

        from glm_runtime.device import Placement

        assert isinstance(self.placement, Placement)
        reason = " ".join(str(error).split())[:200]
        note = f"fell back from {self.placement.kind} to cpu: {reason}"
        dtype = torch.float32 if self.placement.dtype == torch.float16 else self.placement.dtype
        self._shelf.clear()
        self._model.move(torch.device(CPU), dtype)
        self.notes = (*self.notes, note)
        self.placement = Placement(
            kind=CPU,
            device=torch.device(CPU),
            dtype=dtype,
            memory_budget_bytes=self.placement.memory_budget_bytes,
            notes=self.notes,
        )


def _portion(strand: Strand, count: int, guesses: list[int]) -> _Portion:
    at = len(strand.cache.tokens)
    return _Portion(
        strand=strand,
        tokens=strand.tokens[at : at + count],
        guesses=guesses,
        ends=count == strand.pending,
    )


def next_chunk(chunk: int, seconds: float) -> int:
    """Size of the next chunk after one of `chunk` tokens took so long."""
    if seconds > LONGEST_CHUNK_S:
        return max(SMALLEST_CHUNK, chunk // 2)
    if seconds < SHORTEST_CHUNK_S:
        return min(LARGEST_CHUNK, chunk * 2)
    return chunk


def out_of_memory() -> EngineFailed:
    """What a request is told that found no memory."""
    return EngineFailed(
        "There was not enough memory for this request.",
        remedy="Send less text, close other programs, or choose a smaller model.",
    )


def is_out_of_memory(error: RuntimeError) -> bool:
    """Devices raise a class of their own; the CPU's allocator a RuntimeError with these words."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return type(error).__name__ == "OutOfMemoryError" or any(
        word in str(error).lower() for word in words
    )
