"""Strands beside each other get the bits that each would get alone, whatever happens to others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glm_protocol.errors import EngineFailed
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.decode import FIRST_CHUNK, SMALLEST_CHUNK, Decoder
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.drafting import Expected
from glm_runtime.kv_shelf import NoRoomNow
from glm_runtime.lora_weights import LoraPair, LoraWeights
from glm_runtime.model_loading import load_model
from glm_runtime.native.engine_build import NoCompiler
from glm_runtime.native.engine_library import PAGE, load_library
from glm_runtime.native.native_placement import NativePlacement
from glm_runtime.strand import Strand
from tests.runtime.native_configs import BASE
from tests.runtime.one_row import eager_pace
from tests.runtime.test_native_engine import native, stored
from tests.runtime.tiny_models import GLM, write_model

try:
    load_library()
except NoCompiler as missing:
    pytest.skip(f"no native engine here: {missing}", allow_module_level=True)

PLACEMENT = NativePlacement(dtype_name="int8", kernels="")
RANDOM = np.random.default_rng(5)
PROMPTS = [[int(x) for x in RANDOM.integers(0, 60, size)] for size in (30, 7, 64, 1, 100, 45)]
PROMPTS[3:3] = [[*PROMPTS[0], 9, 9]]  # begins like another


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return native(stored(tmp_path_factory.mktemp("glm"), BASE))


def adapter(seed: int, size: int) -> LoraWeights:
    generator = np.random.default_rng(seed)
    a_RI, b_OR = generator.normal(size=(4, size)), generator.normal(size=(size, 4))
    pair = LoraPair(a_RI=a_RI.astype(np.float32), b_OR=b_OR.astype(np.float32))
    return LoraWeights(name=f"a{seed}", pairs={"model.layers.0.self_attn.o_proj": pair})


def alone(model: Any, prompt: Sequence[int], lora: LoraWeights | None, count: int) -> list[Any]:
    """Logits of a greedy answer, one token a forward in one contiguous run."""
    store = model.new_store(lora)
    found = [model.forward(prompt, store)]
    for _ in range(count - 1):
        found.append(model.forward([int(found[-1].argmax())], store))
    return found


def advance(decoder: Decoder, strands: list[Strand], said: dict[Strand, list[Any]]) -> None:
    """One step, and greedy tokens for whoever has logits."""
    decoder.step(strands)
    for strand in strands:
        while strand.logits_V is not None:
            said.setdefault(strand, []).append(strand.logits_V)
            strand.add(int(strand.logits_V.argmax()))


@pytest.mark.parametrize("guessing", [False, True], ids=["plain", "speculated"])
def test_batched_is_single(model: Any, guessing: bool) -> None:
    """Rows of three adapters that join and leave at any time, two with right and wrong guesses."""
    decoder = Decoder(model, PLACEMENT, chunk=16)
    decoder.pace = eager_pace()
    loras = [None, adapter(0, 64), adapter(1, 64)]
    said: dict[Strand, list[Any]] = {}
    strands: list[Strand] = []
    wanted = []
    for number, prompt in enumerate(PROMPTS):
        lora = loras[number % 3]
        wanted.append(alone(model, prompt, lora, 30))
        tokens = [int(logits_V.argmax()) for logits_V in wanted[-1]]
        tokens[4 + number] = 1  # a wrong guess in the middle
        guesses = (Expected(tokens[:9]), Expected(tokens)) if guessing else ()
        strands.append(decoder.begin(prompt, lora, most=len(prompt) + 40, guesses=guesses))
        advance(decoder, strands, said)
        advance(decoder, strands, said)
    while any(len(said.get(strand, ())) < 20 for strand in strands):
        advance(decoder, strands, said)
    for strand, each in zip(strands, wanted, strict=True):
        for got, expected in zip(said[strand][:20], each, strict=False):
            assert np.array_equal(got, expected)
        decoder.end(strand)
    assert (decoder.steps < decoder.tokens) == guessing


def test_rows_of_torch_are_as_alone(tmp_path: Path) -> None:
    placement = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())
    model: Any = load_model(open_checkpoint(write_model(tmp_path, GLM)), placement)[0]
    decoder = Decoder(model, placement, chunk=16)
    plain = adapter(0, 32)
    pairs = {
        name: LoraPair(a_RI=torch.tensor(pair.a_RI), b_OR=torch.tensor(pair.b_OR))
        for name, pair in plain.pairs.items()
    }
    lora = LoraWeights(name="torch", pairs=pairs)
    rows = [([1, 2, 3] * 9, None), ([1, 2, 3] * 7, lora), ([8], None)]
    strands = [decoder.begin(prompt, wanted) for prompt, wanted in rows]
    said: dict[Strand, list[Any]] = {}
    while any(len(said.get(strand, ())) < 6 for strand in strands):
        advance(decoder, strands, said)
    for strand, (prompt, wanted) in zip(strands, rows, strict=True):
        for got, expected in zip(said[strand], alone(model, prompt, wanted, 6), strict=False):
            assert torch.allclose(got, expected, atol=1e-4)


def test_no_row_that_decodes_waits_for_a_prompt(model: Any) -> None:
    decoder = Decoder(model, PLACEMENT, chunk=16)
    first = decoder.begin(PROMPTS[1], guesses=())
    said: dict[Strand, list[Any]] = {}
    advance(decoder, [first], said)
    second, third = decoder.begin([7] * 200), decoder.begin([8] * 3)
    for step in range(12):
        before = len(said[first])
        advance(decoder, [first, third, second], said)
        assert len(said[first]) == before + 1
        assert len(said.get(third, ())) >= step + 1, "a short prompt ahead of the long one"
    assert second not in said
    advance(decoder, [first, second], said)
    assert len(said[second]) == 1
    for strand in (first, second, third):
        decoder.end(strand)


@pytest.fixture
def small(tmp_path: Path) -> Any:
    """A model with room for 20 pages."""
    model: Any = native(stored(tmp_path, BASE))
    model.kept = [model.pool.take() for _ in range(model.pool.free - 20)]
    return model


def test_a_prompt_beside_others_comes_in_small_pieces(model: Any) -> None:
    decoder = Decoder(model, PLACEMENT)
    first = decoder.begin([1, 2, 3], most=60, guesses=())
    long = decoder.begin([9, *range(200)], most=300, guesses=())
    decoder.step([first, long])
    assert len(long.cache.tokens) == SMALLEST_CHUNK - 3
    decoder.step([long])
    assert len(long.cache.tokens) == SMALLEST_CHUNK - 3 + FIRST_CHUNK, "alone it waits for nobody"


def test_a_request_waits_until_others_leave_it_room(small: Any) -> None:
    decoder = Decoder(small, PLACEMENT, chunk=64)
    first = decoder.begin([1] * 100, most=150)
    with pytest.raises(NoRoomNow):
        decoder.begin([2] * 100, most=160)
    short = decoder.begin([3] * 10, most=20)
    while first.logits_V is None:
        decoder.step([first, short])
    decoder.end(first)
    assert small.pool.free < 20, "what it computed is kept"
    second = decoder.begin([2] * 100, most=240)
    while second.logits_V is None:
        decoder.step([second])
    decoder.end(short)
    wanted = alone(small, [2] * 100, None, 1)[0]
    assert np.array_equal(second.logits_V, wanted)
    decoder.end(second)


def test_what_could_never_find_room_is_refused(small: Any) -> None:
    decoder = Decoder(small, PLACEMENT)
    taken = [small.pool.take() for _ in range(8)]
    with pytest.raises(EngineFailed, match="keys and values"):
        decoder.begin([1] * 30, most=12 * PAGE)
    assert small.pool.free == 20 - len(taken)
    decoder.end(decoder.begin([1] * 30, most=11 * PAGE))


def test_memory_that_runs_out_in_a_step_costs_the_last_row_alone(small: Any) -> None:
    decoder = Decoder(small, PLACEMENT, chunk=200)
    first: Strand = decoder.begin([1] * 40, most=60)
    last: Any = decoder.begin([2] * 40, most=60)
    taken = [small.pool.take() for _ in range(small.pool.free - 4)]
    decoder.step([first, last])
    assert first.logits_V is not None
    assert last.logits_V is None
    assert not last.error, "it waits as long as others have work"
    decoder.step([last])
    assert isinstance(last.error, EngineFailed)
    for page in taken:
        small.pool.release(page)
    decoder.end(last)
    assert np.array_equal(first.logits_V, alone(small, [1] * 40, None, 1)[0])
    again: Any = decoder.begin([2] * 40, most=60)
    decoder.step([again])
    assert np.array_equal(again.logits_V, alone(small, [2] * 40, None, 1)[0])


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("device out of memory")])
def test_a_forward_without_memory_forgets_what_is_idle_first(
    model: Any, error: BaseException
) -> None:
    decoder = Decoder(model, PLACEMENT, chunk=64)
    kept = decoder.begin(PROMPTS[4])
    while kept.logits_V is None:
        decoder.step([kept])
    decoder.end(kept)
    forward, calls = model.forward_rows, []

    def short(rows: Any) -> Any:
        calls.append(len(rows))
        if len(calls) == 1:
            raise error
        return forward(rows)

    model.forward_rows = short
    try:
        strand = decoder.begin(PROMPTS[0])
        while strand.logits_V is None:
            decoder.step([strand])
    finally:
        del model.forward_rows
    assert np.array_equal(strand.logits_V, alone(model, PROMPTS[0], None, 1)[0])
    decoder.end(strand)
    assert decoder.begin(PROMPTS[4]).reused == 0


def test_a_prompt_of_the_whole_context(model: Any) -> None:
    decoder = Decoder(model, PLACEMENT)
    prompt = [int(x) for x in RANDOM.integers(0, 60, model.positions)]
    strand = decoder.begin(prompt)
    while strand.logits_V is None:
        decoder.step([strand])
    assert np.array_equal(strand.logits_V, alone(model, prompt, None, 1)[0])
    decoder.end(strand)


def test_ten_thousand_cancels_leave_nothing(model: Any) -> None:
    decoder = Decoder(model, PLACEMENT, chunk=16)
    free = model.pool.free
    at_work: list[Strand] = []
    for number in range(10_000):
        at_work.append(decoder.begin([number % 60, *PROMPTS[number % 5]], tenant=str(number % 3)))
        if number % 50 == 0:
            decoder.step([strand for strand in at_work if strand.logits_V is None])
        if len(at_work) == 8 or number % 7 == 0:
            decoder.end(at_work.pop(number % len(at_work)), forget=number % 11 == 0)
    for strand in at_work:
        decoder.end(strand)
    assert len(decoder._shelf) <= 64
    last = decoder.begin(PROMPTS[2])
    while last.logits_V is None:
        decoder.step([last])
    assert np.array_equal(last.logits_V, alone(model, PROMPTS[2], None, 1)[0])
    decoder.end(last)
    decoder._shelf.clear()
    assert model.pool.free == free


def test_rows_whose_forward_failed_in_the_middle_are_computed_anew(model: Any) -> None:
    decoder = Decoder(model, PLACEMENT, chunk=300)
    strands = [decoder.begin(prompt) for prompt in PROMPTS[:3]]
    forward, calls = model.forward_rows, []

    def short(rows: Any) -> Any:
        calls.append(len(rows))
        found = forward(rows)
        if len(calls) == 1:
            raise RuntimeError("device out of memory")
        return found

    model.forward_rows = short
    try:
        decoder.step(strands)
        assert isinstance(strands[2].error, EngineFailed), "nothing idle could go"
        decoder.step(strands[:2])
    finally:
        del model.forward_rows
    for strand, prompt in zip(strands[:2], PROMPTS, strict=False):
        assert strand.logits_V is not None
        assert np.array_equal(strand.logits_V, alone(model, prompt, None, 1)[0])
    for strand in strands:
        decoder.end(strand)
