"""Chunks of prefill: bounded in tokens, and in time where the machine's speed is followed."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.decode import LARGEST_CHUNK, SMALLEST_CHUNK, Decoder, next_chunk
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.model_loading import load_model
from tests.runtime.one_row import OneRow
from tests.runtime.tiny_models import GLM, write_model

PLACEMENT = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())


class Counting:
    """A model that notes how many tokens each forward got."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def forward(self, tokens: list[int], store: Any) -> Any:
        self.sizes.append(len(tokens))
        return self.model.forward(tokens, store)


@pytest.fixture
def model(tmp_path: Path) -> Any:
    return Counting(load_model(open_checkpoint(write_model(tmp_path)), PLACEMENT)[0])


def test_one_chunk_a_call_and_logits_at_the_end(model: Any) -> None:
    decoder = OneRow(model, PLACEMENT, chunk=16)
    assert decoder.begin(list(range(40))) == 0
    assert decoder.prefill() is None
    assert decoder.prefill() is None
    assert decoder.prefill() is not None
    decoder.step(3)
    assert model.sizes == [16, 16, 8, 1]


@pytest.mark.parametrize(
    ("tick", "sizes"),
    [(0.001, [128, 256, 512, 4]), (0.02, [128] * 7 + [4]), (0.1, [128] + [64] * 12 + [4])],
)
def test_chunks_follow_the_machines_speed(
    model: Any, monkeypatch: pytest.MonkeyPatch, tick: float, sizes: list[int]
) -> None:
    ticks = count()
    monkeypatch.setattr("glm_runtime.decode.time.perf_counter", lambda: tick * next(ticks))
    decoder = OneRow(model, PLACEMENT)
    decoder.begin([1] * 900)
    while decoder.prefill() is None:
        pass
    assert model.sizes == sizes


def test_sizes_stay_within_bounds() -> None:
    assert next_chunk(128, 0.02) == 128
    assert next_chunk(128, 0.05) == 64
    assert next_chunk(SMALLEST_CHUNK, 9.0) == SMALLEST_CHUNK
    assert next_chunk(128, 0.001) == 256
    assert next_chunk(LARGEST_CHUNK, 0.0) == LARGEST_CHUNK


@pytest.mark.parametrize("positions", [1, 2, 3, 20])
def test_warm_up_stays_within_few_positions(tmp_path: Path, positions: int) -> None:
    folder = write_model(tmp_path, {**GLM, "max_position_embeddings": positions})
    Decoder(load_model(open_checkpoint(folder), PLACEMENT)[0], PLACEMENT).warm_up()


def test_warm_up_leaves_nothing_behind(model: Any) -> None:
    decoder = OneRow(model, PLACEMENT)
    decoder.decoder.warm_up()
    assert decoder.begin([0, 0, 0]) == 0
