"""Placement: selection, dtype, memory budget and fallback, walked with a device named npu.

The stand-in computes on the CPU but is called npu, since no accelerator is on this machine.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from glm_protocol.errors import BadRequest, ModelUnusable
from glm_runtime.causal_model import KVStore
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.free_memory import free_cpu_bytes
from glm_runtime.model_loading import load_model
from glm_runtime.transformers_model import TransformersModel
from tests.runtime.one_row import OneRow
from tests.runtime.tiny_models import write_model

REPOSITORY = Path(__file__).parents[2]


class Npu:
    """An accelerator that is not there."""

    kind: str | None = "npu"

    def __init__(self, *, free: int = 10**9, bfloat16: bool = True) -> None:
        self._free = free
        self._bfloat16 = bfloat16

    def device(self) -> torch.device:
        return torch.device("cpu")

    def free_bytes(self) -> int:
        return self._free

    def supports_bfloat16(self) -> bool:
        return self._bfloat16


class NoAccelerator(Npu):
    kind = None


def test_cuda_is_named_as_a_device_in_one_file_only() -> None:
    packages = [path.parent for path in REPOSITORY.glob("*/glm_*/py.typed")]
    assert len(packages) >= 5
    named = re.compile(r"""\bcuda\.|\.cuda\b|is_cuda|["']cuda(:\d+)?["']""")
    files = [file for package in packages for file in package.rglob("*.py")]
    guilty = {file.name for file in files if named.search(file.read_text(encoding="utf-8"))}
    assert guilty == {"device.py"}


def test_selection() -> None:
    assert choose_placement(device=None, dtype=None, accelerator=Npu()).kind == "npu"
    assert choose_placement(device="auto", dtype="auto", accelerator=Npu()).kind == "npu"
    assert choose_placement(device="npu", dtype=None, accelerator=Npu()).kind == "npu"
    assert choose_placement(device="cpu", dtype=None, accelerator=Npu()).kind == "cpu"
    assert choose_placement(device=None, dtype=None, accelerator=NoAccelerator()).kind == "cpu"


@pytest.mark.parametrize("accelerator", [Npu(), NoAccelerator()])
def test_a_device_that_is_not_there_is_an_error_and_no_silent_cpu(accelerator: Npu) -> None:
    with pytest.raises(BadRequest, match="no device 'xpu'") as caught:
        choose_placement(device="xpu", dtype=None, accelerator=accelerator)
    assert "docs/devices.md" in caught.value.remedy


def test_dtype() -> None:
    def dtype(asked: str | None, accelerator: Npu, device: str | None = None) -> str:
        placement = choose_placement(device=device, dtype=asked, accelerator=accelerator)
        return placement.dtype_name

    assert dtype(None, Npu()) == "bfloat16"
    assert dtype(None, Npu(bfloat16=False)) == "float16"
    assert dtype("float32", Npu()) == "float32"
    assert dtype(None, Npu(), "cpu") in ("bfloat16", "float32")
    with pytest.raises(BadRequest, match="float8"):
        dtype("float8", Npu())


def test_cpu_dtype_goes_by_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(capable: bool) -> torch.dtype:
        for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
            monkeypatch.setattr(torch.cpu, probe, lambda: capable, raising=False)
        placement = choose_placement(device="cpu", dtype=None, accelerator=NoAccelerator())
        return placement.dtype

    assert chosen(True) == torch.bfloat16
    assert chosen(False) == torch.float32


def test_memory_budget(tmp_path: Path) -> None:
    assert 0 < free_cpu_bytes() < 2**50
    placement = choose_placement(device=None, dtype=None, accelerator=Npu(free=100_000))
    assert placement.memory_budget_bytes == 80_000
    small = choose_placement(device=None, dtype="float32", accelerator=Npu(free=50_000))
    with pytest.raises(ModelUnusable, match="on npu"):
        load_model(open_checkpoint(write_model(tmp_path)), small)


class MissingOperator:
    """A model that lacks an operator while it is on the npu."""

    def __init__(self, model: Any, *, fails_at: int) -> None:
        self.model = model
        self.calls = 0
        self.fails_at = fails_at
        self.moved_to: list[Any] = []

    def move(self, *where: Any) -> None:
        self.moved_to.append(where)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def forward(self, tokens: list[int], store: KVStore) -> torch.Tensor:
        self.calls += 1
        logits: torch.Tensor = self.model.forward(tokens, store)
        if self.calls >= self.fails_at and not self.moved_to:
            raise NotImplementedError("The operator 'aten::rope' is not implemented for NPU")
        return logits


@pytest.mark.parametrize("fails_at", [1, 2, 5])
def test_fallback_for_a_missing_operator(tmp_path: Path, fails_at: int) -> None:
    placement = choose_placement(device=None, dtype="float32", accelerator=Npu())
    model, _ = load_model(open_checkpoint(write_model(tmp_path)), placement, native=False)
    prompt = list(range(60, 110))

    def logits(decoder: OneRow) -> list[torch.Tensor]:
        decoder.begin(prompt)
        found = []
        while (last := decoder.prefill()) is None:
            pass
        found.append(last)
        return [*found, decoder.step(70), decoder.step(71)]

    expected = logits(OneRow(model, placement, chunk=16))
    lacking: Any = MissingOperator(model, fails_at=fails_at)
    decoder = OneRow(lacking, placement, chunk=16)
    for got, wanted in zip(logits(decoder), expected, strict=True):
        assert torch.allclose(got, wanted, atol=1e-5)
    assert decoder.decoder.placement.kind == "cpu"
    assert decoder.decoder.notes == (
        "fell back from npu to cpu: The operator 'aten::rope' is not implemented for NPU",
    )
    assert lacking.moved_to == [(torch.device("cpu"), torch.float32)]


def test_transformers_code_runs_on_accelerators_and_moves(tmp_path: Path) -> None:
    placement = choose_placement(device=None, dtype="float16", accelerator=Npu())
    model, _ = load_model(open_checkpoint(write_model(tmp_path)), placement, native=False)
    assert isinstance(model, TransformersModel)
    model.move(torch.device("cpu"), torch.float32)
    assert model.forward([1, 2], model.new_store()).dtype == torch.float32


def test_no_second_fallback_from_the_cpu(tmp_path: Path) -> None:
    placement = choose_placement(device="cpu", dtype="float32", accelerator=Npu())
    model, _ = load_model(open_checkpoint(write_model(tmp_path)), placement)
    lacking: Any = MissingOperator(model, fails_at=1)
    decoder = OneRow(lacking, placement)
    decoder.begin([1, 2, 3])
    with pytest.raises(NotImplementedError):
        decoder.prefill()
    assert decoder.cache.tokens == []


def test_this_machine_answers() -> None:
    accelerator = TorchAccelerator()
    placement = choose_placement(device=None, dtype=None, accelerator=accelerator)
    assert placement.kind == (accelerator.kind or "cpu")
    assert placement.memory_budget_bytes > 0
