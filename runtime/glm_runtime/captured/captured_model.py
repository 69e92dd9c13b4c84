"""A model on a device behind `BatchedModel`: rows of any lengths become forwards of few shapes.

A step's rows are sorted by width: single tokens together, guesses that are verified together
(padded to one width), each piece of a prompt alone (padded to a bucket). Every shape (rows,
width, positions looked at) is recorded once, when it is first needed, and played from then on.
Rows with an adapter run the same functions unrecorded.

Padding computes what nobody looks at: rows in a slot of their own, tokens at positions behind a
row's end, which are written over before anything looks there.

Legend: B rows, N tokens of each, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from glm_runtime.captured.device_sampling import DeviceLogits
from glm_runtime.captured.graph_capture import GraphCapture, NoGraphs, Run
from glm_runtime.captured.layer_stack import NO_PAIRS, LayerStack, Pairs, Rows
from glm_runtime.captured.static_cache import SlotStore, StaticCache
from glm_runtime.causal_model import RowTokens

if TYPE_CHECKING:
    from glm_runtime.causal_model import KVStore
    from glm_runtime.lora_weights import LoraWeights

VERIFY = 8  # width of a step that looks at guesses
BATCHES = (1, 2, 4, 8, 16, 32)
WIDTHS = (1, VERIFY, 32, 128, 512)  # the last is the most that is prefilled at once
SPANS = (512, 1024, 2048, 4096, 8192, 16_384, 32_768)


def bucket(count: int, sizes: Sequence[int]) -> int:
    """The smallest size that holds `count`. Raises ValueError where none does."""
    for size in sizes:
        if count <= size:
            return size
    raise ValueError(f"{count} is more than {sizes[-1]}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recorded:
    """A forward of one shape with the tensors that it reads and writes."""

    play: Run
    rows: Rows
    last_B: torch.Tensor  # place of each row's last token, where only its logits are computed
    logits_BNV: torch.Tensor
    best_BN: torch.Tensor
    top_BN: torch.Tensor


class CapturedModel:
    """`stack` computes, `cache` keeps, `capture` records."""

    def __init__(self, stack: LayerStack, cache: StaticCache, capture: GraphCapture) -> None:
        self._stack = stack
        self._cache = cache
        self._capture = capture
        self._recorded: dict[tuple[int, int, int], Recorded] = {}
        shape = stack.shape
        self.vocabulary_size = shape.vocabulary
        # Padding needs room behind the last position.
        self.positions: int | None = min(shape.positions, cache.positions - WIDTHS[-1])
        self.stop_ids = shape.stop_ids

    @property
    def most_rows(self) -> int:
        return min(self._cache.slots, BATCHES[-1])

    @property
    def weight_bytes(self) -> int:
        stack = self._stack
        total = stack.embedding_VD.nbytes + stack.norm_D.nbytes
        if stack.head.values_OI is not stack.embedding_VD:
            total += stack.head.nbytes
        for layer in stack.layers:
            total += sum(norm.nbytes for norm in layer.norms.values())
            total += sum(one.nbytes for one in (layer.qkv, layer.out, layer.gate_up, layer.down))
        return total

    def new_store(self, lora: LoraWeights | None = None) -> SlotStore:
        if lora is not None:
            lora.check_fits(self._linear_shapes())
        return SlotStore(self._cache, lora)

    def _linear_shapes(self) -> dict[str, tuple[int, int]]:
        shape, shapes = self._stack.shape, dict[str, tuple[int, int]]()
        queries, keys, hidden = shape.query_columns, shape.key_columns, shape.hidden
        fused = shape.family.fused_gate
        for number in range(shape.layers):
            name = f"model.layers.{number}."
            shapes |= {
                f"{name}self_attn.q_proj": (queries, hidden),
                f"{name}self_attn.k_proj": (keys, hidden),
                f"{name}self_attn.v_proj": (keys, hidden),
                f"{name}self_attn.o_proj": (hidden, queries),
                f"{name}mlp.down_proj": (hidden, shape.forward),
            }
            gates = ("gate_up",) if fused else ("gate", "up")
            rows = shape.forward * (2 if fused else 1)
            shapes |= {f"{name}mlp.{gate}_proj": (rows, hidden) for gate in gates}
        return shapes

    def use_threads(self, count: int) -> None:
        torch.set_num_threads(count)

    def move(self, device: torch.device, dtype: torch.dtype) -> None:
        """For an operator that the device lacks: what was recorded there is forgotten."""
        from glm_runtime.captured.captured_loading import moved_stack

        self._recorded.clear()
        self._capture = NoGraphs()
        self._stack = moved_stack(self._stack, device, dtype)
        self._cache.move(device, dtype)

    def forward(self, tokens: Sequence[int], store: KVStore) -> DeviceLogits:
        return self.forward_rows([RowTokens(store=store, tokens=tokens)])[0][0]

    @torch.inference_mode()
    def forward_rows(self, rows: Sequence[RowTokens]) -> list[list[DeviceLogits]]:
        """For each row its last `wanted` logits. Raises MemoryError: nothing was appended then."""
        for row in rows:
            assert isinstance(row.store, SlotStore)
            if row.store.length + len(row.tokens) > self._cache.positions - WIDTHS[-1]:
                raise MemoryError("the conversation is longer than the room for it")
            _ = row.store.slot  # taken for all before anything is computed
        answers: list[list[DeviceLogits]] = [[] for _ in rows]
        together: dict[tuple[LoraWeights | None, int], list[int]] = {}
        for number, row in enumerate(rows):
            if len(row.tokens) > VERIFY:
                answers[number] = self._prefill(row)
            else:
                key = (row.store.lora, bucket(len(row.tokens), WIDTHS))
                together.setdefault(key, []).append(number)
        for (_, width), numbers in together.items():
            for first in range(0, len(numbers), BATCHES[-1]):
                part = numbers[first : first + BATCHES[-1]]
                found = self._run([rows[number] for number in part], width)
                for number, logits in zip(part, found, strict=True):
                    answers[number] = logits
        return answers

    def _prefill(self, row: RowTokens) -> list[DeviceLogits]:
        """A piece of a prompt, in forwards of bucketed widths; logits are wanted of the last."""
        tokens, found = list(row.tokens), list[DeviceLogits]()
        end = len(tokens) - (row.wanted if row.wanted > 1 else 0)
        starts = [*range(0, end, WIDTHS[-1]), *range(end, len(tokens), VERIFY)]
        for start, stop in zip(starts, [*starts[1:], len(tokens)], strict=True):
            piece = RowTokens(
                store=row.store,
                tokens=tokens[start:stop],
                wanted=stop - start if start >= end else 1,
            )
            logits = self._run([piece], bucket(stop - start, WIDTHS))[0]
            found += logits if start >= end or row.wanted == 1 else []
        return found[-row.wanted :]

    def _run(self, rows: Sequence[RowTokens], width: int) -> list[list[DeviceLogits]]:
        """Rows of one adapter that fit one width."""
        pairs = NO_PAIRS if rows[0].store.lora is None else rows[0].store.lora.pairs
        longest = max(row.store.length for row in rows) + width
        span = min(bucket(longest, (*SPANS, self._cache.positions)), self._cache.positions)
        recorded = self._recorded_for(bucket(len(rows), BATCHES), width, span, pairs)
        self._fill(recorded, rows, width)
        recorded.play()
        best_BN, top_BN = torch.stack([recorded.best_BN.float(), recorded.top_BN]).tolist()
        kept_BNV = recorded.logits_BNV.clone()  # the next step writes there again
        found = []
        for number, row in enumerate(rows):
            count = len(row.tokens)
            row.store.length += count
            places = range(count - row.wanted, count) if width <= VERIFY else (0,)
            found.append(
                [
                    DeviceLogits(kept_BNV[number, at], int(best_BN[number][at]), top_BN[number][at])
                    for at in places
                ]
            )
        return found

    def _fill(self, recorded: Recorded, rows: Sequence[RowTokens], width: int) -> None:
        """Put the step's numbers where the recorded forward reads them, in one copy each."""
        batch = recorded.rows.ids_BN.shape[0]
        ids = torch.zeros((batch, width), dtype=torch.int64)
        first = torch.zeros((batch, 1), dtype=torch.int64)
        slots = torch.full((batch,), self._cache.slots, dtype=torch.int64)
        last = torch.zeros((batch,), dtype=torch.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row.tokens)] = torch.tensor(row.tokens)
            first[number] = row.store.length
            slots[number] = row.store.slot
            last[number] = len(row.tokens) - 1
        recorded.rows.ids_BN.copy_(ids)
        recorded.rows.positions_BN.copy_(first + torch.arange(width))
        recorded.rows.slots_B.copy_(slots)
        recorded.last_B.copy_(last)

    def _recorded_for(self, batch: int, width: int, span: int, pairs: Pairs) -> Recorded:
        key = (batch, width, span)
        if not pairs and key in self._recorded:
            return self._recorded[key]
        device = self._stack.embedding_VD.device

        def integers(*size: int) -> torch.Tensor:
            return torch.zeros(size, dtype=torch.int64, device=device)

        rows = Rows(
            ids_BN=integers(batch, width),
            positions_BN=integers(batch, width),
            slots_B=integers(batch) + self._cache.slots,
            span=span,
        )
        told = width if width <= VERIFY else 1
        made = Recorded(
            play=_nothing,
            rows=rows,
            last_B=integers(batch),
            logits_BNV=torch.zeros((batch, told, self.vocabulary_size), device=device),
            best_BN=integers(batch, told),
            top_BN=torch.zeros((batch, told), device=device),
        )
        run = partial(self._compute, made, pairs)
        if pairs:
            return _playing(made, run)
        self._recorded[key] = _playing(made, self._capture.record(run))
        return self._recorded[key]

    def _compute(self, into: Recorded, pairs: Pairs) -> None:
        x_BND = self._stack.hidden(into.rows, self._cache, pairs)
        if into.logits_BNV.shape[1] != x_BND.shape[1]:
            x_BND = x_BND[torch.arange(len(x_BND), device=x_BND.device), into.last_B][:, None]
        logits_BNV = self._stack.logits(x_BND)
        top_BN, best_BN = logits_BNV.max(-1)
        into.logits_BNV.copy_(logits_BNV)
        into.best_BN.copy_(best_BN)
        into.top_BN.copy_(top_BN)


def _nothing() -> None:
    raise AssertionError("a forward is played before it was made")


def _playing(made: Recorded, play: Run) -> Recorded:
    return Recorded(
        play=play, rows=made.rows, last_B=made.last_B, logits_BNV=made.logits_BNV,
        best_BN=made.best_BN, top_BN=made.top_BN,
    )  # fmt: skip
