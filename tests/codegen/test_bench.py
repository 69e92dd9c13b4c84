"""The bench measures and says what it could not; no figure is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glm_codegen.bench import replay_bench
from glm_codegen.bench.bench_row import ratios, row, table
from glm_codegen.bench.command import run
from glm_codegen.bench.engine_bench import EnginePlan, bench_engines
from glm_protocol.errors import BadRequest
from glm_runtime.native.engine_build import NoCompiler
from glm_runtime.native.engine_library import load_library
from tests.codegen.engine_driver import load
from tests.runtime.test_native_engine import BASE
from tests.runtime.tiny_models import write_model


def test_rows_and_ratios() -> None:
    one = row("native", "S", "decode tokens/s", [3.0, 1.0, 2.0])
    assert (one.median, one.low, one.high, one.rounds) == (2.0, 1.0, 3.0, 3)
    two = ratios("native", "torch", "S", "decode", [2.0])
    assert two.engine == "native / torch"
    assert "native / torch" in table([one, two])


def test_engines_in_turns_and_a_missing_peer_is_named(tmp_path: Path) -> None:
    try:
        load_library()
    except NoCompiler as missing:
        pytest.skip(f"no native engine here: {missing}")
    folder = write_model(tmp_path / "m", {**BASE, "vocab_size": 8000})
    plan = EnginePlan(
        shape="tiny", tokens=70, steps=2, rounds=2, threads=1, peers=("torch", "llama.cpp")
    )
    rows = bench_engines(folder, plan)
    metrics = {(one.engine, one.metric) for one in rows}
    assert ("native int8", "decode tokens/s") in metrics
    assert ("native int8 / torch", "decode tokens/s ratio") in metrics
    assert next(one.note for one in rows if one.engine == "llama.cpp").startswith("missing")


def test_typing_is_replayed(tmp_path: Path) -> None:
    engine = load(write_model(tmp_path / "m"))
    text = "import os\n" * 40
    found = replay_bench.replay(engine, replay_bench.typings(text, 2, 3, 0.15), 0.15)
    assert found.asked == 6
    assert found.superseded + len(found.firsts) == 6
    rows = replay_bench.replay_rows([found], 2, "tiny")
    assert {one.engine for one in rows} == {"2 editors"}


def test_a_peer_that_nobody_knows() -> None:
    with pytest.raises(BadRequest, match="no peer 'gpt'"):
        run(["engine", "--peers", "gpt"])


def test_json_is_one_object_a_row(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = {**BASE, "vocab_size": 8000, "max_position_embeddings": 1024}
    folder = write_model(tmp_path / "m", config)
    output = tmp_path / "out.json"
    arguments = ["--model", str(folder), "--peers", "torch", "--quick", "--rounds", "1", "--json"]
    try:
        load_library()
    except NoCompiler as missing:
        pytest.skip(f"no native engine here: {missing}")
    assert run([*arguments, "--output", str(output)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert set(rows[0]) >= {"engine", "shape", "metric", "median", "low", "high", "rounds"}
    assert json.loads(output.read_text())["rows"] == rows
