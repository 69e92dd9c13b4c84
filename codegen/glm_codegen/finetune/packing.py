"""Rows become blocks of one length, several whole rows a block, none seeing another.

A block's attention mask lets a token see what stands before it in its own row only, and
positions begin anew with each row: a packed row is computed as if it stood alone (a test
compares). Nothing is cut; what does not fill a block is padding, which no target counts.

Legend: B blocks, T tokens of a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from glm_codegen.finetune.samples import Row

OPEN_BLOCKS = 8  # blocks that a row may still find room in: bounds the reordering


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """`ids_BT`, `targets_BT` int64; `weights_BT` float, 0 where nothing is learned;
    `positions_BT` int64; `sees_B1TT` bool: who may look at whom."""

    ids_BT: torch.Tensor
    targets_BT: torch.Tensor
    weights_BT: torch.Tensor
    positions_BT: torch.Tensor
    sees_B1TT: torch.Tensor


def pack(rows: Iterable[Row], length: int) -> Iterator[tuple[Row, ...]]:
    """First fit into a few open blocks of `length` tokens; a block is given when it is full."""
    blocks: list[list[Row]] = []
    for row in rows:
        need = len(row.token_ids)
        assert need <= length, "a row is longer than a block"
        fitting = next((b for b in blocks if _filled(b) + need <= length), None)
        if fitting is not None:
            fitting.append(row)
            continue
        blocks.append([row])
        if len(blocks) > OPEN_BLOCKS:
            fullest = max(range(len(blocks)), key=lambda number: _filled(blocks[number]))
            yield tuple(blocks.pop(fullest))
    yield from map(tuple, blocks)


def _filled(block: Sequence[Row]) -> int:
    return sum(len(row.token_ids) for row in block)


def to_batch(blocks: Sequence[Sequence[Row]], length: int, pad: int) -> Batch:
    """Tensors of some blocks."""
    count = len(blocks)
    ids_BT = torch.full((count, length), pad, dtype=torch.long)
    targets_BT = torch.full((count, length), pad, dtype=torch.long)
    weights_BT = torch.zeros((count, length))
    positions_BT = torch.zeros((count, length), dtype=torch.long)
    rows_BT = torch.full((count, length), -1, dtype=torch.long)
    for number, block in enumerate(blocks):
        at = 0
        for row_number, row in enumerate(block):
            tokens = torch.tensor(row.token_ids)
            end = at + len(tokens)
            ids_BT[number, at:end] = tokens
            targets_BT[number, at : end - 1] = tokens[1:]
            weights_BT[number, at : end - 1] = torch.tensor(row.weights)
            positions_BT[number, at:end] = torch.arange(len(tokens))
            rows_BT[number, at:end] = row_number
            at = end
    same_BTT = rows_BT[:, :, None] == rows_BT[:, None, :]
    causal_TT = torch.ones((length, length), dtype=torch.bool).tril()
    return Batch(
        ids_BT=ids_BT,
        targets_BT=targets_BT,
        weights_BT=weights_BT,
        positions_BT=positions_BT,
        sees_B1TT=(same_BTT & causal_TT)[:, None],
    )
