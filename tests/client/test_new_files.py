"""Files that never take another's place: taken names, races, failures half way."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from glm_client.new_files import check_writable, new_folder, write_new
from glm_protocol.errors import BadRequest


def test_taken_names_get_numbers(tmp_path: Path) -> None:
    wanted = tmp_path / "a.b.png"
    places = [write_new(wanted, bytes([number])) for number in range(3)]
    assert [place.name for place in places] == ["a.b.png", "a.b-1.png", "a.b-2.png"]
    assert [place.read_bytes() for place in places] == [b"\0", b"\1", b"\2"]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_appears_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = tmp_path / "a.png"
    link = os.link

    def slow(source: Path, place: Path) -> None:
        if not wanted.exists():
            wanted.write_bytes(b"somebody's")
        link(source, place)

    monkeypatch.setattr(os, "link", slow)
    assert write_new(wanted, b"ours").name == "a-1.png"
    assert wanted.read_bytes() == b"somebody's"


def test_without_hard_links_it_is_an_exclusive_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, place: Path) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", refuse)
    assert write_new(tmp_path / "a.png", b"1").name == "a.png"
    assert write_new(tmp_path / "a.png", b"2").name == "a-1.png"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-1.png", "a.png"]


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("glm_client.new_files.os.fsync", full)
    with pytest.raises(BadRequest, match="full"):
        write_new(tmp_path / "a.png", b"data")
    assert list(tmp_path.iterdir()) == []


def test_missing_and_closed_folders_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadRequest, match="no folder"):
        check_writable(tmp_path / "none")
    with pytest.raises(BadRequest):
        write_new(tmp_path / "none" / "a.png", b"")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(BadRequest, match="may not be written"):
        check_writable(tmp_path)


def test_folders_get_numbers_and_empty_ones_are_used(tmp_path: Path) -> None:
    assert new_folder(tmp_path / "x" / "icons") == tmp_path / "x" / "icons"
    assert new_folder(tmp_path / "x" / "icons") == tmp_path / "x" / "icons"
    (tmp_path / "x" / "icons" / "a").touch()
    assert new_folder(tmp_path / "x" / "icons").name == "icons-1"
