"""The bench measures and says what it could not; no figure is asserted."""

from __future__ import annotations

import json
import runpy
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glm_codegen.bench import engine_bench, memory_speed, player_process, replay_bench
from glm_codegen.bench.bench_row import ratios, row, table
from glm_codegen.bench.command import run
from glm_codegen.bench.editing_trace import read_trace, typed_trace
from glm_codegen.bench.engine_bench import EnginePlan, bench_engines
from glm_codegen.bench.peer_weights import floats_of, gguf_of
from glm_codegen.bench.player_process import PEERS, CannotPlay, Peer, interpreter_of
from glm_codegen.bench.random_model import SHAPES, random_model
from glm_protocol.errors import BadRequest
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.native.engine_build import NoCompiler
from glm_runtime.native.engine_library import load_library
from glm_runtime.native.native_weights import native_tensors
from tests.codegen.engine_driver import load
from tests.runtime.test_native_engine import BASE
from tests.runtime.tiny_models import VOCABULARY, write_model

REPOSITORY = Path(__file__).parents[2]


def test_rows_and_ratios() -> None:
    one = row("native", "S", "decode tokens/s", [3.0, 1.0, 2.0])
    assert (one.median, one.low, one.high, one.rounds) == (2.0, 1.0, 3.0, 3)
    two = ratios("native", "torch", "S", "decode", [2.0])
    assert two.engine == "native / torch"
    assert "native / torch" in table([one, two])


@pytest.fixture(autouse=True)
def bench_folder_of_the_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(player_process.SWITCH, str(tmp_path / "bench"))


@pytest.fixture(autouse=True)
def tiny_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_speed, "MIB", 4)
    monkeypatch.setitem(SHAPES, "tiny", (64, 2, 2, 1, 128, 600))


@pytest.fixture
def native() -> None:
    try:
        load_library()
    except NoCompiler as missing:
        pytest.skip(f"no native engine here: {missing}")


SMALL = {**BASE, "vocab_size": 8000}
PLAN = EnginePlan(shape="tiny", tokens=70, steps=2, rounds=2, threads=1, peers=("llama.cpp",))


@pytest.mark.usefixtures("native")
def test_engines_in_turns_and_a_missing_peer_is_named(tmp_path: Path) -> None:
    rows = bench_engines(write_model(tmp_path / "m", SMALL), PLAN)
    metrics = {(one.engine, one.metric) for one in rows}
    for metric in (
        *("decode tokens/s", "prefill tokens/s", "share of the read limit", "8-wide step, ms"),
        *("8 rows, decode tokens/s", "prompt + 5 tokens to first token, ms", "memory, MiB"),
    ):
        assert ("native int8", metric) in metrics
    missing = next(one for one in rows if one.engine == "llama.cpp")
    assert missing.median is None
    assert missing.note.startswith("missing: no weights")


class Twin:
    """Stands in for a peer's process: it plays what the native engine plays, and may fail."""

    def __init__(self, peer: Peer, model: Path, threads: int) -> None:
        del model, threads
        interpreter_of(peer)
        self.weight_bytes = 1000
        self.plays = 0

    def play(self, what: str, **_: Any) -> float | None:
        self.plays += 1
        if self.plays > 11:
            raise CannotPlay("it ended")
        return {"wide": None, "best": 7}.get(what, 0.5)

    def memory_mib(self) -> dict[str, float]:
        return {"now": 1.0}

    def close(self) -> None:
        pass


@pytest.mark.usefixtures("native")
def test_ratios_and_a_peer_that_fails_midway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_bench, "PlayerProcess", Twin)
    folder = random_model(tmp_path, "tiny")
    plan = replace(PLAN, rounds=1, peers=("torch", "openvino"))
    rows = bench_engines(folder, plan)
    assert ("native int8 / torch", "decode ratio", 1.0) in {
        (one.engine, one.metric, one.median) for one in rows
    }
    note = next(one.note for one in rows if one.engine == "openvino")
    assert note == "missing: not installed: scripts/peers/openvino.sh does it"
    rows = bench_engines(folder, replace(plan, rounds=3))
    assert {one.note for one in rows if one.median is None} >= {"missing: it ended"}


def test_every_peer_has_a_script_and_a_player() -> None:
    for name, peer in PEERS.items():
        assert (player_process.PLAYER.parent / f"{peer.player}.py").is_file()
        if peer.environment:
            script = REPOSITORY / "scripts" / "peers" / f"{name}.sh"
            assert f"make_environment {peer.environment}" in script.read_text(encoding="utf-8")


def test_the_torch_path_plays(tmp_path: Path) -> None:
    file = player_process.PLAYER.with_name("torch_player.py")
    player: Any = runpy.run_path(str(file))["Player"](str(write_model(tmp_path / "m")), 1)
    assert player.prefill([1, 2, 3]) > 0
    assert player.steps(2) > 0
    assert player.keystroke([1, 2], [3]) > 0
    assert player.best([1, 2]) in range(VOCABULARY)


@pytest.mark.parametrize("bits", [8, 4])
def test_peers_get_the_same_weights(tmp_path: Path, bits: int) -> None:
    """GGUF's blocks multiplied out are the bfloat16 ones multiplied out, row for row."""
    checkpoint = open_checkpoint(random_model(tmp_path, "tiny", bits=bits))
    floats = native_tensors(open_checkpoint(floats_of(checkpoint)).shards)
    written = read_gguf(gguf_of(checkpoint))
    assert len(written) == len(floats)
    up = floats["model.layers.1.mlp.up_proj.weight"].floats()
    assert np.allclose(written["blk.1.ffn_up.weight"], up, rtol=0.01)
    assert np.abs(up).max() > 0.03
    query = floats["model.layers.0.self_attn.q_proj.weight"].floats()
    # A head's rotary pairs, halves apart with transformers, stand beside each other.
    assert np.allclose(written["blk.0.attn_q.weight"][1], query[16], rtol=0.01)
    assert open_checkpoint(gguf_of(checkpoint).parent).config.scheme is not None


def read_gguf(file: Path) -> dict[str, NDArray[np.float32]]:
    """A reader for what is written here, by GGUF's description."""
    data = file.read_bytes()
    place = 0

    def take(form: str) -> Any:
        nonlocal place
        values = struct.unpack_from(f"<{form}", data, place)
        place += struct.calcsize(f"<{form}")
        return values[0] if len(values) == 1 else values

    def text() -> str:
        nonlocal place
        size = take("Q")
        place += size
        return data[place - size : place].decode()

    def value(kind: int) -> Any:
        if kind == 8:
            return text()
        if kind == 9:
            inner, count = take("I"), take("Q")
            return [value(inner) for _ in range(count)]
        return take({4: "I", 5: "i", 6: "f"}[kind])

    assert take("4s") == b"GGUF"
    assert take("I") == 3
    tensors, values = take("Q"), take("Q")
    known = {text(): value(take("I")) for _ in range(values)}
    assert known["general.architecture"] == "llama"
    assert len(known["tokenizer.ggml.tokens"]) == known["llama.vocab_size"]
    infos = []
    for _ in range(tensors):
        name, sides = text(), take("I")
        shape = [take("Q") for _ in range(sides)][::-1]
        infos.append((name, shape, take("I"), take("Q")))
    begin = -(-place // 32) * 32
    found = {}
    for name, shape, kind, offset in infos:
        at, count = begin + offset, int(np.prod(shape))
        width = {0: 0, 2: 16, 8: 32}[kind]
        if not width:
            found[name] = np.frombuffer(data, "<f4", count, at).reshape(shape)
            continue
        form = [("scale", "<f2"), ("q", "i1" if kind == 8 else "u1", width)]
        blocks = np.frombuffer(data, form, count // 32, at)
        whole = blocks["q"].astype(np.float32)
        if kind == 2:
            low, high = blocks["q"] & 15, blocks["q"] >> 4
            whole = np.concatenate([low, high], axis=-1).astype(np.float32) - 8
        found[name] = (whole * blocks["scale"][:, None]).reshape(shape)
    return found


def test_typing_is_replayed(tmp_path: Path) -> None:
    engine = load(write_model(tmp_path / "m"))
    text = "import os\n" * 40
    traces = [
        typed_trace(text, number=number, editors=2, letters=3, interval=0.15) for number in range(2)
    ]
    found = replay_bench.replay(engine, traces)
    assert found.asked == sum(len(trace.edits) for trace in traces)
    assert found.superseded + len(found.firsts) == found.asked
    rows = replay_bench.replay_rows([found], 2, "tiny")
    assert {one.engine for one in rows} == {"2 editors"}


def test_a_typist_types_the_text() -> None:
    text = "".join(f"value_{number} = {number}\n" for number in range(200))
    trace = typed_trace(text, number=1, editors=3, letters=300, interval=0.15)
    states = list(trace.states())
    assert any(edit.removed for edit in trace.edits)
    _, before, behind = states[-1]
    assert before + behind in text
    assert len(before) + len(behind) == len(trace.text) + 300
    spent = states[-1][0] - states[0][0]
    assert 0.8 < spent / (0.15 * len(states)) < 1.2


def test_recorded_edits_are_read(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    edits = [{"at": 0, "offset": 1, "removed": 0, "inserted": "bc"},
             {"at": 1, "offset": 1, "removed": 1, "inserted": ""}]  # fmt: skip
    raw = {"path": "a.py", "language": "python", "text": "ad", "edits": edits}
    file.write_text(json.dumps(raw), encoding="utf-8")
    assert list(read_trace(file).states()) == [(0.0, "abc", "d"), (1.0, "a", "cd")]
    several: list[object] = [{**raw, "edits": edits[::-1]}, {**raw, "edits": [{}]}, []]
    for broken in several:
        file.write_text(json.dumps(broken), encoding="utf-8")
        with pytest.raises(BadRequest, match="no trace"):
            read_trace(file)


def test_a_peer_that_nobody_knows() -> None:
    with pytest.raises(BadRequest, match="no peer 'gpt'"):
        run(["engine", "--peers", "gpt"])


@pytest.mark.usefixtures("native")
def test_json_is_one_object_a_row(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", {**SMALL, "max_position_embeddings": 1024})
    output = tmp_path / "out.json"
    arguments = ["--model", str(folder), "--peers", "none", "--quick", "--rounds", "1", "--json"]
    assert run([*arguments, "--output", str(output)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert set(rows[0]) >= {"engine", "shape", "metric", "median", "low", "high", "rounds"}
    assert json.loads(output.read_text())["rows"] == rows
