"""What is read of a repository: the split in time, and every way in which there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from glm_codegen.finetune.dataset import build_dataset
from glm_codegen.finetune.preparation import check_enough
from glm_codegen.finetune.repository import MAX_FILE_BYTES, Split, read_repository
from glm_protocol.errors import BadRequest
from tests.codegen.finetune.small_repository import commit, grown, module


def test_the_receipt_asks_about_lines_added_after_the_cut_alone(tmp_path: Path) -> None:
    grown(tmp_path)
    snapshot = read_repository(tmp_path)
    assert snapshot.split is Split.TIME
    old = {blob.path for blob in snapshot.train}
    new = {blob.path for blob, _ in snapshot.held_out}
    assert old
    assert new
    assert not old & new  # every commit adds modules and changes none
    share = sum(len(lines or ()) for _, lines in snapshot.held_out) / (24 * 20)
    assert 0.1 < share < 0.4
    dataset = build_dataset(snapshot)
    assert dataset.asked
    for question in dataset.asked:
        assert question.file.path in new


def test_in_a_changed_file_only_new_lines_are_asked_about(tmp_path: Path) -> None:
    text = "".join(module(word, "depot") for word in ("ledger", "valve", "pump", "relay"))
    first = commit(tmp_path, {"a.py": text.encode()}, day=0)
    added = (
        "\n\ndef freshly_written(gauge: int, sensor: int) -> int:\n    return gauge * 7 - sensor\n"
    )
    commit(tmp_path, {"a.py": (text + added).encode()}, day=1)
    snapshot = read_repository(tmp_path, since=first)
    [(blob, lines)] = snapshot.held_out
    assert blob.path == "a.py"
    assert lines is not None
    assert set(lines) == {text.count("\n") + number for number in range(4)}
    dataset = build_dataset(snapshot)
    assert {question.hole.middle.strip("\n") in added for question in dataset.asked} <= {True}


def test_a_moved_file_and_copied_lines_prove_nothing(tmp_path: Path) -> None:
    text = module("ledger", "depot")
    first = commit(tmp_path, {"a.py": text.encode(), "b.py": b"x = 1\n" * 30}, day=0)
    commit(tmp_path, {"copy/of_a.py": text.encode()}, day=1)
    assert build_dataset(read_repository(tmp_path, since=first)).asked == ()


@pytest.mark.parametrize("kind", ["no git", "one commit", "no commit"])
def test_without_a_history_whole_files_are_held_out(tmp_path: Path, kind: str) -> None:
    grown(tmp_path, commits=1)
    if kind != "one commit":
        (tmp_path / ".git").rename(tmp_path / "away.git")
    if kind == "no commit":
        import pygit2

        pygit2.init_repository(str(tmp_path))
    snapshot = read_repository(tmp_path)
    assert snapshot.split is Split.FILES
    assert snapshot.notes
    held = {blob.path for blob, _ in snapshot.held_out}
    assert held
    assert held.isdisjoint(blob.path for blob in snapshot.train)
    with pytest.raises(BadRequest, match="since|revision"):
        read_repository(tmp_path, since="v1")


def test_ignored_linked_and_huge_files_of_a_plain_folder(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("secret/\n*.log\n")
    for path in ("a.py", "secret/b.py", "c.log", "node_modules/d.js"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(module("pump", "valve"))
    (tmp_path / "link.py").symlink_to(tmp_path / "a.py")
    (tmp_path / "huge.py").write_text("x = 1\n" * MAX_FILE_BYTES)
    snapshot = read_repository(tmp_path)
    found = {blob.path: blob for blob in (*snapshot.train, *(b for b, _ in snapshot.held_out))}
    assert sorted(found) == [".gitignore", "a.py", "huge.py"]
    assert found["huge.py"].why == "too big"


def test_too_little_says_what_is_missing(tmp_path: Path) -> None:
    commit(tmp_path, {"a.py": b"x = 1\n", "b.md": b"# b\n", "c.py": b"\0\1"}, day=0)
    with pytest.raises(BadRequest, match=r"0 usable files .* 4 files .*1 no code.*too small"):
        check_enough(build_dataset(read_repository(tmp_path)))


def test_no_folder_and_no_revision(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no folder"):
        read_repository(tmp_path / "absent")
    grown(tmp_path, modules=4, commits=2)
    with pytest.raises(BadRequest, match="no revision 'v9'"):
        read_repository(tmp_path, since="v9")


def test_windows_line_ends_are_one_line_end(tmp_path: Path) -> None:
    files = {
        f"{word}.py": module(word, "relay").replace("\n", "\r\n").encode()
        for word in ("ledger", "valve", "pump", "gauge", "depot", "parcel", "tariff", "sensor")
    }
    commit(tmp_path, files, day=0)
    dataset = build_dataset(read_repository(tmp_path))
    assert dataset.train
    assert all("\r" not in file.text for file in dataset.train)
