"""The accelerator's bench walks its whole table without one, and says so where none is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import gpu
from glm_codegen.bench import player_process
from glm_codegen.bench.random_model import SHAPES
from glm_runtime.device import TorchAccelerator


def test_the_whole_table_is_rehearsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(player_process.SWITCH, str(tmp_path))
    monkeypatch.delitem(SHAPES, "tiny", raising=False)  # which the rehearsal adds
    assert gpu.main(["--rehearse", "--json", str(tmp_path / "out.json")]) == 0
    body = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert "rehearsing" in body["machine"]["device"]
    found = {(one["engine"], one["metric"]) for one in body["rows"]}
    for engine in ("plain, eager", "int8, eager", "float8, eager"):
        for metric in (
            *("prefill tokens/s", "8-wide step, ms", "2 rows, decode tokens/s"),
            *("prompt + 5 tokens to first token, ms", "share of the copy limit, one row"),
        ):
            assert (engine, metric) in found
    assert ("transformers", "1 rows, decode tokens/s") in found


def test_without_a_device_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TorchAccelerator, "kind", None)
    assert gpu.main([]) == gpu.NO_DEVICE
    assert "no accelerator" in capsys.readouterr().out
