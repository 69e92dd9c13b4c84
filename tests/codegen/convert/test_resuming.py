"""Killed at every point where a file gets its name, a conversion goes on and ends right."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from glm_codegen.convert import conversion
from glm_protocol.errors import BadRequest
from glm_runtime.quantized_weight import QuantizationScheme
from tests.codegen.convert.converting import converted, tensors_of
from tests.codegen.models.reference_cases import DATA

SHARD = 100_000


def _in_child(work: Callable[[], object]) -> int:
    """Exit status of a forked child: 0, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _killing(call: str, after: int, *, before_it: bool) -> None:
    """Kill this very process at the `after`-th call of os.`call`."""
    real = getattr(os, call)
    left = iter(range(after - 1, -1, -1))

    def patched(*args: object) -> object:
        last = next(left) == 0
        if last and before_it:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, call, patched)


@pytest.mark.parametrize(
    ("call", "before_it"),
    [("replace", True), ("replace", False), ("fsync", True), ("rename", True)],
)
def test_killed_at_every_step(call: str, before_it: bool, tmp_path: Path) -> None:
    destination = tmp_path / "made"
    deaths = 0
    while True:
        # each run is killed one call later than the last: progress must carry over
        def run(calls: int = deaths % 3 + 1) -> None:
            _killing(call, calls, before_it=before_it)
            converted(DATA / "v2", destination, shard_bytes=SHARD)

        if call == "rename" and deaths:
            break
        status = _in_child(run)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        assert not destination.exists()
        deaths += 1
        if deaths > 12:  # a first call that is always reached again: the kept ones are enough
            break
    assert deaths
    converted(DATA / "v2", destination, shard_bytes=SHARD)
    converted(DATA / "v2", tmp_path / "whole")
    found, whole = tensors_of(destination), tensors_of(tmp_path / "whole")
    assert found.keys() == whole.keys()
    assert all(torch.equal(found[name], whole[name]) for name in found)
    assert not [*tmp_path.glob(".made*"), *destination.glob("*.tmp")]


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    destination = tmp_path / "made"

    def run() -> None:
        _killing("replace", 3, before_it=False)
        converted(DATA / "v2", destination, shard_bytes=SHARD)

    assert _in_child(run) == -signal.SIGKILL
    return destination


def test_finished_shards_are_kept(unfinished: Path) -> None:
    work = unfinished.with_name(".made.converting")
    kept = {file.name: file.stat().st_mtime_ns for file in work.glob("*.safetensors")}
    assert len(kept) == 2
    converted(DATA / "v2", unfinished, shard_bytes=SHARD)
    assert all((unfinished / name).stat().st_mtime_ns == when for name, when in kept.items())


def test_a_damaged_shard_is_written_again(unfinished: Path) -> None:
    shards = sorted(unfinished.with_name(".made.converting").glob("*.safetensors"))
    shards[0].write_bytes(shards[0].read_bytes()[:-7])
    converted(DATA / "v2", unfinished, shard_bytes=SHARD)
    assert len(tensors_of(unfinished)) == 36


def test_other_sources_or_options_do_not_go_on_with_it(unfinished: Path) -> None:
    others: list[tuple[Path, QuantizationScheme | None]] = [
        (DATA / "v4", None),
        (DATA / "v2", QuantizationScheme(bits=8)),
    ]
    for source, scheme in others:
        with pytest.raises(BadRequest, match="unfinished conversion of other sources or options"):
            converted(source, unfinished, shard_bytes=SHARD, scheme=scheme)
    assert len(list(unfinished.with_name(".made.converting").glob("*.safetensors"))) == 2


def test_two_at_once_do_not_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    write_shards = conversion._write_shards

    def second(*_: object) -> None:
        monkeypatch.setattr("glm_codegen.convert.conversion._write_shards", write_shards)
        with pytest.raises(BadRequest, match="Another conversion") as caught:
            converted(DATA / "v2", tmp_path / "made")
        tried.append(caught.value.message)

    monkeypatch.setattr("glm_codegen.convert.conversion._write_shards", second)
    converted(DATA / "v2", tmp_path / "made")
    assert tried
