"""Where a model computes while the native engine is not compiled yet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from glm_protocol.errors import ModelUnusable
from glm_runtime import placed_model
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.engine import EngineOptions
from glm_runtime.native import engine_build
from glm_runtime.native.engine_build import NoCompiler, build_for_the_next_start
from glm_runtime.placed_model import place_model
from tests.runtime.native_configs import BASE
from tests.runtime.tiny_models import write_model

OPTIONS = EngineOptions(model="m", device="cpu")


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No library is there; what is built for the next start."""
    begun: list[str] = []
    monkeypatch.delenv("GLM_LSP_NATIVE", raising=False)
    monkeypatch.setattr(placed_model, "found_library", lambda: None)
    monkeypatch.setattr(placed_model, "build_for_the_next_start", lambda: begun.append("engine"))
    return begun


def test_nobody_waits_for_the_compiler(builds: list[str], tmp_path: Path) -> None:
    placed = place_model(open_checkpoint(write_model(tmp_path, BASE)), OPTIONS)
    assert placed.backend == "torch"
    assert builds == ["engine"]
    assert "being compiled for the next start" in placed.notes[0]


def test_switched_off_nothing_is_built(
    builds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLM_LSP_NATIVE", "0")
    placed = place_model(open_checkpoint(write_model(tmp_path, BASE)), OPTIONS)
    assert (placed.backend, builds) == ("torch", [])
    with pytest.raises(ModelUnusable, match="int8"):
        place_model(open_checkpoint(tmp_path), replace(OPTIONS, dtype="int8"))


def test_without_a_compiler_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_build, "find_compiler", lambda: None)
    with pytest.raises(NoCompiler, match="no C"):
        build_for_the_next_start()
