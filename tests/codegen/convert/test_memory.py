"""A checkpoint of the 13B's form, all its keys, hidden size scaled down: memory stays bounded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glm_codegen.models.codegeex_weights import official_names
from tests.codegen.convert.published_layouts import nested, write_config
from tests.codegen.models.reference_cases import DATA

HIDDEN, LAYERS, ROWS, POSITIONS = 256, 39, 52224, 2048
SHARD = 40_000_000
ALLOWED = 1.5  # of the largest shard


def _random(name: str) -> torch.Tensor:
    if "embeddings" in name:
        return torch.randn(ROWS if "word" in name else POSITIONS, HIDDEN, dtype=torch.float16)
    rows = 4 * HIDDEN if "dense_h_to_4h" in name else HIDDEN
    columns = 4 * HIDDEN if "dense_4h_to_h" in name else HIDDEN
    if name.endswith("bias") or "layernorm" in name:
        return torch.randn(rows, dtype=torch.float16)
    return torch.randn(rows, columns, dtype=torch.float16)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_peak_memory(tmp_path: Path) -> None:
    source = tmp_path / "13b"
    source.mkdir()
    weights = {f"language_model.{name}": _random(name) for name in official_names(LAYERS)}
    torch.save(nested(weights), source / "codegeex_13b.pt")
    write_config(source, {"num_attention_heads": 4, "layernorm_epsilon": 1e-5, "eos": 50256})
    probe = Path(__file__).with_name("peak_memory.py")
    command = [sys.executable, str(probe), str(DATA / "v1"), str(source), str(tmp_path), str(SHARD)]
    one_thread = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
    }  # two that wait for each other on busy cores
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=one_thread)
    assert ran.returncode == 0, ran.stderr
    for form, grown in json.loads(ran.stdout).items():
        made = tmp_path / form / "13b"
        sizes = [file.stat().st_size for file in made.glob("*.safetensors")]
        assert len(sizes) > 1
        print(f"{form}: {grown / max(sizes):.2f} of the largest shard ({max(sizes) / 1e6:.0f} MB)")
        assert grown <= ALLOWED * max(sizes)
        told = json.loads((made / "conversion.json").read_text())["weights"]
        assert len(told) == 16 * (LAYERS + 1) + 5
        assert set(told.values()) == {f"module.{name}" for name in weights}
