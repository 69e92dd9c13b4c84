"""Keys and values outlive the process, change nothing, and are never a stranger's or a wreck."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glm_runtime import decode, kv_on_disk
from glm_runtime.checkpoint import Checkpoint
from glm_runtime.kv_on_disk import SavedPrefixes, saved_prefixes
from glm_runtime.lora_weights import LoraPair, LoraWeights
from glm_runtime.native.engine_build import NoCompiler
from glm_runtime.native.engine_library import load_library
from glm_runtime.native.native_placement import NativePlacement
from tests.runtime.native_configs import BASE
from tests.runtime.one_row import OneRow
from tests.runtime.test_native_engine import native, stored

try:
    load_library()
except NoCompiler as missing:
    pytest.skip(f"no native engine here: {missing}", allow_module_level=True)

PROMPT = [(7 * number + number // 50) % 200 for number in range(200)]
WHOLE = 12 * 16  # tokens of the prompt's pages, the last token's left out


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return stored(tmp_path_factory.mktemp("model"), BASE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kv"


@pytest.fixture(autouse=True)
def everything_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "WORTH_SAVING_S", 0.0)


def started(checkpoint: Checkpoint, folder: Path, what: str = "int8") -> OneRow:
    """A process that has just loaded the model."""
    model = native(checkpoint)
    saved = saved_prefixes(folder, checkpoint, model, what)
    return OneRow(model, NativePlacement(dtype_name="int8", kernels=""), saved=saved)


def logits_of(row: OneRow, prompt: list[int], **options: Any) -> tuple[int, Any]:
    """Tokens that needed no computing, and the logits at the end."""
    reused = row.begin(prompt, **options)
    while (logits := row.prefill()) is None:
        pass
    return reused, logits


def left_behind(row: OneRow, prompt: list[int], **options: Any) -> Any:
    """Logits of a prompt whose process then ends in order."""
    _, logits = logits_of(row, prompt, **options)
    assert row.strand is not None
    row.decoder.end(row.strand)
    row.strand = None
    row.decoder.save_idle()
    return logits


def adapter(seed: int) -> LoraWeights:
    draw = np.random.default_rng(seed)
    size = int(BASE["hidden_size"])
    a = draw.normal(size=(2, size)).astype(np.float32)
    b = draw.normal(size=(size, 2)).astype(np.float32)
    return LoraWeights(
        name="mine", pairs={"model.layers.0.self_attn.o_proj": LoraPair(a_RI=a, b_OR=b)}
    )


def test_a_prompt_goes_on_where_the_last_process_was(checkpoint: Checkpoint, folder: Path) -> None:
    wanted = left_behind(started(checkpoint, folder), PROMPT)
    row = started(checkpoint, folder)
    reused, logits = logits_of(row, PROMPT)
    assert reused == WHOLE
    assert np.array_equal(logits, wanted)
    for token in (3, 4, 5):
        again = row.step(token)
    plain = started(checkpoint, folder / "none")
    logits_of(plain, PROMPT)
    for token in (3, 4, 5):
        wanted = plain.step(token)
    assert np.array_equal(again, wanted)


def test_another_end_needs_another_computing(checkpoint: Checkpoint, folder: Path) -> None:
    left_behind(started(checkpoint, folder), PROMPT)
    other = [*PROMPT[:150], *range(60)]
    reused, logits = logits_of(started(checkpoint, folder), other)
    assert reused == 144, "whole pages of what both begin with"
    assert np.array_equal(logits, logits_of(started(checkpoint, folder / "none"), other)[1])


def test_what_is_held_counts_first(checkpoint: Checkpoint, folder: Path) -> None:
    left_behind(started(checkpoint, folder), PROMPT)
    row = started(checkpoint, folder)
    logits_of(row, PROMPT[:100])
    reused, _ = logits_of(row, PROMPT)
    assert reused == 99 + 1, "what a file would spare is less than a file is worth"
    left_behind(started(checkpoint, folder), [*PROMPT, *PROMPT])
    row = started(checkpoint, folder)
    logits_of(row, PROMPT[:50])
    assert logits_of(row, [*PROMPT, *PROMPT])[0] == 24 * 16


Damage = Callable[[Path], Any]


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [lambda path: os.truncate(path, path.stat().st_size - 1),
     lambda path: os.truncate(path, 20),
     lambda path: path.write_bytes(b""),
     lambda path: path.write_bytes(path.read_bytes() + b"x"),
     lambda path: flip(path, 3),
     lambda path: flip(path, 40),
     lambda path: flip(path, path.stat().st_size - 9)],
    ids=["cut", "cut-head", "empty", "longer", "format", "head", "page"],
)  # fmt: skip
def test_a_damaged_file_is_none(checkpoint: Checkpoint, folder: Path, damage: Damage) -> None:
    wanted = left_behind(started(checkpoint, folder), PROMPT)
    (path,) = folder.iterdir()
    damage(path)
    reused, logits = logits_of(started(checkpoint, folder), PROMPT)
    assert reused == 0
    assert np.array_equal(logits, wanted)
    assert not path.exists()


def test_a_file_that_goes_while_it_is_known_is_none(checkpoint: Checkpoint, folder: Path) -> None:
    wanted = left_behind(started(checkpoint, folder), PROMPT)
    row = started(checkpoint, folder)
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    reused, logits = logits_of(row, PROMPT)
    assert (reused, path.exists()) == (0, False)
    assert np.array_equal(logits, wanted)


def test_another_model_or_version_meets_nothing(checkpoint: Checkpoint, folder: Path) -> None:
    left_behind(started(checkpoint, folder), PROMPT)
    assert logits_of(started(checkpoint, folder, "int4"), PROMPT)[0] == 0
    weights = next(iter(checkpoint.shards))
    before = weights.stat().st_mtime_ns
    os.utime(weights, (1, 1))
    assert logits_of(started(checkpoint, folder), PROMPT)[0] == 0
    os.utime(weights, ns=(before, before))
    assert logits_of(started(checkpoint, folder), PROMPT)[0] == WHOLE


def test_another_adapter_meets_nothing(checkpoint: Checkpoint, folder: Path) -> None:
    left_behind(started(checkpoint, folder), PROMPT, lora=adapter(1))
    for lora, reused in ((None, 0), (adapter(2), 0), (adapter(1), WHOLE)):
        assert logits_of(started(checkpoint, folder), PROMPT, lora=lora)[0] == reused


def test_a_stranger_neither_writes_nor_reads(checkpoint: Checkpoint, folder: Path) -> None:
    left_behind(started(checkpoint, folder), PROMPT, tenant="tcp:a")
    assert not folder.exists()
    left_behind(started(checkpoint, folder), PROMPT)
    assert logits_of(started(checkpoint, folder), PROMPT, tenant="tcp:a")[0] == 0


def test_files_are_the_users_alone_and_hold_no_tokens(checkpoint: Checkpoint, folder: Path) -> None:
    left_behind(started(checkpoint, folder), PROMPT)
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for kind in ("<i4", "<i8", "<u2"):
        assert np.asarray(PROMPT[:8], kind).tobytes() not in path.read_bytes()


def test_a_full_disk_is_told_once(
    checkpoint: Checkpoint, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    row = started(checkpoint, folder)
    with caplog.at_level(logging.WARNING):
        left_behind(row, PROMPT)
        left_behind(row, [9, *PROMPT])
    assert len([one for one in caplog.records if "not saved" in one.getMessage()]) == 1
    assert list(folder.iterdir()) == [], "nothing half written stays"
    assert logits_of(row, [8, *PROMPT])[1] is not None


def test_files_are_bounded(
    checkpoint: Checkpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kv_on_disk, "MOST_FILES", 2)
    row = started(checkpoint, folder)
    for first in range(4):
        left_behind(row, [first, *PROMPT])
        assert len(list(folder.iterdir())) <= 2
    before = set(folder.iterdir())
    row.decoder.save_idle()
    assert set(folder.iterdir()) == before, "what found no room is not written again and again"
    size = next(folder.iterdir()).stat().st_size
    monkeypatch.setattr(kv_on_disk, "MOST_BYTES", size)
    left_behind(row, [9, *PROMPT])
    assert len(list(folder.iterdir())) == 1
    assert logits_of(started(checkpoint, folder), [9, *PROMPT])[0] == WHOLE, "the newest stays"


def test_what_is_saved_is_not_written_again(checkpoint: Checkpoint, folder: Path) -> None:
    row = started(checkpoint, folder)
    left_behind(row, PROMPT)
    before = [(path.name, path.stat().st_ino) for path in folder.iterdir()]
    left_behind(row, [*PROMPT, 1, 2, 3])
    assert [(path.name, path.stat().st_ino) for path in folder.iterdir()] == before
    left_behind(row, [*PROMPT, *PROMPT])
    (path,) = folder.iterdir()
    assert path.name != before[0][0], "a longer one takes its beginning's place"


def test_what_is_quickly_computed_is_not_written(
    checkpoint: Checkpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "WORTH_SAVING_S", 1e6)
    left_behind(started(checkpoint, folder), PROMPT)
    assert not folder.exists()


def test_it_can_be_switched_off(
    checkpoint: Checkpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(kv_on_disk.SWITCH, "0")
    assert saved_prefixes(folder, checkpoint, native(checkpoint), "int8") is None
    monkeypatch.delenv(kv_on_disk.SWITCH)
    assert isinstance(saved_prefixes(folder, checkpoint, native(checkpoint), ""), SavedPrefixes)


def test_without_pages_nothing_is_recalled(
    checkpoint: Checkpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = left_behind(started(checkpoint, folder), PROMPT)
    row = started(checkpoint, folder)

    def none(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(type(row.decoder._model), "append_pages", none)
    reused, logits = logits_of(row, PROMPT)
    assert reused == 0
    assert np.array_equal(logits, wanted)
