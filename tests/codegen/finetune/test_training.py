"""The loop: it learns, and whatever befalls it, it ends in the same bits or says why."""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from glm_codegen.finetune.packing import to_batch
from glm_codegen.finetune.ranks import Ranks, Spread
from glm_codegen.finetune.run_files import DiskFull, read_tensors
from glm_codegen.finetune.train_state import Look, load_state
from glm_codegen.finetune.trainable import build_trainable
from glm_codegen.finetune.training_loop import Interrupted, Trainer
from glm_protocol.errors import EngineFailed
from glm_runtime.adapter import AdapterShelf, fingerprint
from glm_runtime.adapter_rack import AdapterRack
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.model_loading import load_model
from glm_runtime.quantized_linear import QuantizedLinear
from tests.codegen.finetune.training_runs import (
    blocks,
    in_process,
    one_of_several,
    plan,
    run,
    trainable,
    trainer,
    watch,
)
from tests.runtime.tiny_models import END, GLM, quantized, random_weights, write_model

Matrices = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Matrices:
    """The matrices of a run that nothing disturbed."""
    torch.set_num_threads(1)
    state = run(folder, tmp_path_factory.mktemp("whole"), plan())
    assert state.best is not None
    return state.best.matrices


def assert_same(one: Matrices, other: Matrices) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def assert_close(one: Matrices, other: Matrices, atol: float) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=atol, rtol=0)


def test_it_learns_and_only_the_matrices_move(folder: Path, tmp_path: Path) -> None:
    made = trainer(folder, plan(steps=30, dropout=0.0))
    frozen = {
        name: parameter.clone()
        for name, parameter in made.trainable.network.named_parameters()
        if not parameter.requires_grad
    }
    state = made.run(tmp_path, watch())
    assert sum(state.losses[-5:]) < 0.8 * sum(state.losses[:5])
    for name, parameter in made.trainable.network.named_parameters():
        if name in frozen:
            assert torch.equal(parameter, frozen[name])
        else:
            assert "lora_" in name
            assert "embed" not in name
            assert "lm_head" not in name


def test_a_packed_row_is_computed_as_if_alone(folder: Path) -> None:
    made = trainable(folder, plan())
    made.network.eval()
    block = next(block for block in blocks() if len(block) > 1)
    with torch.no_grad():
        together, _, _ = made.logits(to_batch([block], 48, END))
        alone = torch.cat([made.logits(to_batch([(row,)], 48, END))[0] for row in block])
    torch.testing.assert_close(together.float(), alone.float(), atol=0.05, rtol=0.05)


def test_killed_at_random_moments_it_ends_in_the_same_bits(
    folder: Path, tmp_path: Path, whole: Matrices
) -> None:
    chance, kills = random.Random(7), 0
    while True:
        process = in_process(run, folder, tmp_path, plan(), resume_flag(tmp_path))
        process.join(chance.uniform(0.15, 0.6) if kills < 6 else None)
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
            continue
        assert process.exitcode == 0
        break
    found = load_state(tmp_path)
    assert found is not None
    state, _ = found
    assert state.step == 12
    assert state.best is not None
    assert_same(state.best.matrices, whole)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["checkpoint-0000009.safetensors", "checkpoint-0000012.safetensors"]


def resume_flag(folder: Path) -> bool:
    return any(folder.glob("checkpoint-*"))


def test_stopped_on_request_and_resumed(folder: Path, tmp_path: Path, whole: Matrices) -> None:
    asked: list[Any] = []
    with pytest.raises(Interrupted):
        trainer(folder, plan()).run(
            tmp_path, watch(stepped=asked.append, stop=lambda: len(asked) >= 5)
        )
    found = load_state(tmp_path)
    assert found is not None
    assert found[0].step == 5
    state = run(folder, tmp_path, plan(), resume=True)
    assert state.best is not None
    assert_same(state.best.matrices, whole)


def test_a_full_disk_costs_nothing_that_was_saved(
    folder: Path, tmp_path: Path, whole: Matrices, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.fsync, iter(range(100))

    def full(descriptor: int) -> None:
        if next(calls) == 2:  # the second checkpoint: two calls a file
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFull, match="No space left") as caught:
        run(folder, tmp_path, plan())
    assert "--resume" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-0000003.safetensors"]
    state = run(folder, tmp_path, plan(), resume=True)
    assert state.best is not None
    assert_same(state.best.matrices, whole)


def test_a_torn_checkpoint_is_passed_over_and_litter_swept(
    folder: Path, tmp_path: Path, whole: Matrices
) -> None:
    run(folder, tmp_path, plan())
    newest = tmp_path / "checkpoint-0000012.safetensors"
    newest.write_bytes(newest.read_bytes()[:-7])
    (tmp_path / "checkpoint-0000015.safetensors.part").write_bytes(b"half")
    found = load_state(tmp_path)
    assert found is not None
    assert found[0].step == 9
    assert not list(tmp_path.glob("*.part"))
    state = run(folder, tmp_path, plan(), resume=True)
    assert state.best is not None
    assert_same(state.best.matrices, whole)


def test_without_memory_the_micro_batch_halves_and_the_gradient_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gradients(limit: int) -> Matrices:
        made = trainer(folder, plan(micro_blocks=4, dropout=0.0))
        real = made.trainable.loss_sum

        def short(batch: Any) -> torch.Tensor:
            if len(batch.ids_BT) > limit:
                raise RuntimeError("DefaultCPUAllocator: not enough memory")
            return real(batch)

        monkeypatch.setattr(made.trainable, "loss_sum", short)
        made._accumulate(blocks()[:4], 0, 10.0)
        return {n: p.grad for n, p in made.trainable.parameters if p.grad is not None}

    whole = gradients(4)
    assert whole
    assert_close(whole, gradients(1), atol=0.02 * max(float(g.abs().max()) for g in whole.values()))
    with pytest.raises(EngineFailed, match="one block"):
        gradients(0)


def test_a_gradient_that_is_not_finite_stops_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trainer(folder, plan())
    real = made.trainable.loss_sum
    monkeypatch.setattr(made.trainable, "loss_sum", lambda batch: real(batch) * float("nan"))
    with pytest.raises(EngineFailed, match="not finite"):
        made.step(0)


def test_it_stops_when_nothing_gets_better(folder: Path, tmp_path: Path) -> None:
    scores = iter([0.3, 0.5, 0.4, 0.4, 0.4, 0.4])
    state = trainer(folder, plan(steps=18, patience=2)).run(
        tmp_path, watch(measure=lambda _: Look(score=next(scores), exact=0.0, loss=1.0))
    )
    assert state.step == 12
    assert state.best is not None
    assert state.best.look.step == 6


def test_a_run_that_takes_too_long_ends_with_what_it_has(folder: Path, tmp_path: Path) -> None:
    state = trainer(folder, plan(seconds=1e-6)).run(tmp_path, watch())
    assert state.step == 1
    assert state.best is not None
    assert state.best.look.step == 1
    assert run(folder, tmp_path, plan(seconds=1e-6), resume=True).step == 1


def test_what_was_trained_is_what_is_served(folder: Path, tmp_path: Path) -> None:
    made = trainer(folder, plan(dropout=0.0))
    state = made.run(tmp_path, watch())
    assert state.best is not None
    made.trainable.write(tmp_path / "adapters" / "mine", state.best.matrices, "tiny")
    made.trainable.network.eval()
    prompt = list(range(40))
    with torch.inference_mode():
        expected = made.trainable.network(input_ids=torch.tensor([prompt])).logits[0, -1]
    placement = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())
    rack = AdapterRack(
        AdapterShelf(tmp_path), base="tiny", fingerprint=fingerprint(folder),
        device=torch.device("cpu"), dtype=torch.float32,
    )  # fmt: skip
    model, _ = load_model(open_checkpoint(folder), placement)
    with torch.inference_mode():
        served = model.forward(prompt, model.new_store(rack.choose("mine")))
    torch.testing.assert_close(served, expected, atol=1e-4, rtol=1e-4)


def test_a_packed_base_learns_too(tmp_path: Path) -> None:
    weights = quantized(random_weights(GLM), bits=4, group_size=16)
    config = {**GLM, "glm_quantization": {"bits": 4, "group_size": 16}}
    folder = write_model(tmp_path / "packed", config, weights=weights)
    checkpoint = open_checkpoint(folder)
    placement = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())
    chosen = plan(steps=20, dropout=0.0)
    tight = replace(placement, memory_budget_bytes=checkpoint.parameters * 4)
    made = build_trainable(checkpoint, tight, chosen)
    kinds = [module for module in made.network.modules() if isinstance(module, QuantizedLinear)]
    assert len(kinds) == 12
    state = Trainer(made, blocks(), chosen, pad=END).run(tmp_path, watch())
    assert sum(state.losses[-5:]) < 0.9 * sum(state.losses[:5])


@pytest.mark.parametrize("spread", [Spread.REPLICA, Spread.SHARDED])
def test_two_processes_make_what_one_makes(folder: Path, tmp_path: Path, spread: Spread) -> None:
    chosen = plan(dropout=0.0, steps=6, micro_blocks=1)
    both = tmp_path / "both"
    both.mkdir()
    (tmp_path / "alone").mkdir()
    alone = run(folder, tmp_path / "alone", chosen)
    processes = [
        in_process(one_of_several, folder, both, chosen, rank, 2, spread, tmp_path / "meet")
        for rank in range(2)
    ]
    give_up = time.monotonic() + 60
    for process in processes:
        process.join(max(0.1, give_up - time.monotonic()))
        if process.exitcode is None:
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    found, _ = read_tensors(both / "matrices.safetensors")
    assert alone.best is not None
    assert_close(found, alone.best.matrices, atol=2e-3)


def test_sharding_that_did_not_happen_ends_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trainable(folder, plan())
    monkeypatch.setattr("torch.distributed.fsdp.fully_shard", lambda module: module)
    with pytest.raises(RuntimeError, match="not sharded, though it was asked to be"):
        Ranks(rank=0, world=2, spread=Spread.SHARDED).shard(made.network)
