"""The index: built, renewed file by file, bounded, rebuilt when torn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glm_context import index_store
from glm_context.gathered import CursorSite
from glm_context.index_build import BuildProgress, build, building, update
from glm_context.index_folder import IndexFolder, index_folder
from glm_context.index_store import IndexStore
from glm_context.workspace_context import WorkspaceContext
from glm_context.workspace_files import MAX_BYTES, is_minified

SHOP = "class Basket:\n    def total_price(self, rate):\n        return self.sum * rate\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "basket.py").write_text(SHOP)
    (root / "shop" / "other.py").write_text("def unrelated_thing():\n    return 1\n")
    return root


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> IndexFolder:
    return index_folder(tmp_path / "home", root)


def symbols(folder: IndexFolder, *names: str) -> list[tuple[str, str, int]]:
    store = IndexStore(folder.file, write=False)
    try:
        return [(d.name, d.path, d.line) for d in store.definitions(names)]
    finally:
        store.close()


def found_by(folder: IndexFolder, *terms: str) -> set[str]:
    store = IndexStore(folder.file, write=False)
    try:
        return {hit.path for hit in store.search(terms, 10)}
    finally:
        store.close()


def test_a_build_knows_symbols_and_identifiers_by_their_parts(
    root: Path, folder: IndexFolder
) -> None:
    progress = build(root, folder)
    assert progress is not None
    assert (progress.files, progress.finished) == (2, True)
    assert symbols(folder, "Basket", "total_price") == [
        ("Basket", "shop/basket.py", 0),
        ("total_price", "shop/basket.py", 1),
    ]
    assert found_by(folder, "total_price") == {"shop/basket.py"}
    assert found_by(folder, "price") == {"shop/basket.py"}
    assert folder.file.stat().st_mode & 0o077 == 0
    assert folder.path.stat().st_mode & 0o077 == 0


def test_a_second_build_reads_only_what_changed(root: Path, folder: IndexFolder) -> None:
    build(root, folder)
    (root / "shop" / "other.py").write_text("def renamed_function_here():\n    return 1\n")
    (root / "shop" / "new.py").write_text("def brand_new():\n    return 2\n")
    seen: list[BuildProgress] = []
    progress = build(root, folder, report=seen.append)
    assert progress is not None
    assert progress.files == 3
    assert progress.read == sum((root / "shop" / n).stat().st_size for n in ("other.py", "new.py"))
    assert symbols(folder, "unrelated_thing") == []
    assert found_by(folder, "unrelated_thing") == set()
    assert found_by(folder, "renamed_function_here") == {"shop/other.py"}
    assert seen[-1].finished


def test_updates_take_files_in_and_out(root: Path, folder: IndexFolder) -> None:
    build(root, folder)
    (root / "shop" / "basket.py").unlink()
    (root / "shop" / "late.py").write_text("def late_arrival():\n    pass\n")
    (root / ".gitignore").write_text("other.py\n")
    assert update(root, folder, ["shop/basket.py", "shop/late.py", "shop/other.py", "../x.py", ""])
    assert symbols(folder, "Basket", "unrelated_thing") == []
    assert found_by(folder, "price", "unrelated_thing") == set()
    assert symbols(folder, "late_arrival") == [("late_arrival", "shop/late.py", 0)]


def test_many_changes_of_one_file_leave_no_dead_terms(root: Path, folder: IndexFolder) -> None:
    build(root, folder)
    for number in range(20):
        (root / "shop" / "basket.py").write_text(f"def version_number{number}():\n    pass\n")
        update(root, folder, ["shop/basket.py"])
    assert found_by(folder, "version_number3", "basket_that_was") == set()
    assert found_by(folder, "version_number19") == {"shop/basket.py"}
    store = IndexStore(folder.file, write=False)
    assert store.counts()[:3] == (2, 2, 2)
    store.close()


@pytest.mark.parametrize("damage", ["", "half", "noise", "other"])
def test_a_torn_index_is_built_again(root: Path, folder: IndexFolder, damage: str) -> None:
    build(root, folder)
    data = folder.file.read_bytes()
    torn = {
        "": b"",
        "half": data[: len(data) // 2],
        "noise": os.urandom(9000),
        "other": b"text" * 99,
    }
    folder.file.write_bytes(torn[damage])
    build(root, folder)
    assert symbols(folder, "Basket") == [("Basket", "shop/basket.py", 0)]


def test_gather_does_without_a_torn_index(root: Path, folder: IndexFolder, tmp_path: Path) -> None:
    build(root, folder)
    folder.file.write_bytes(os.urandom(20_000))
    site = CursorSite(path="a.py", language="python", text="Basket(", offset=7)
    with WorkspaceContext(root, home=tmp_path / "home") as workspace:
        assert workspace.gather(site).snippets == ()


def test_one_builder_at_a_time(root: Path, folder: IndexFolder) -> None:
    with building(folder) as mine:
        assert mine
        assert build(root, folder) is None
        assert not update(root, folder, ["shop/basket.py"])
        command = [sys.executable, "-P", "-m", "glm_context.index_build", str(root), "--home"]
        done = subprocess.run([*command, str(folder.path.parent.parent)], check=False)
        assert done.returncode == 3


def test_the_disk_is_bounded(
    root: Path, folder: IndexFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full index stays usable: what no longer fits is left out."""
    monkeypatch.setattr(index_store, "MAX_DISK", 60 * index_store.PAGE)
    for number in range(300):
        words = " ".join(f"word{number}x{i}" for i in range(200))
        (root / f"f{number}.py").write_text(f"def function_{number}():\n    return '{words}'\n")
    build(root, folder)
    assert sum(f.stat().st_size for f in folder.path.iterdir()) < 4 * 60 * index_store.PAGE
    store = IndexStore(folder.file, write=False)
    store.counts()
    store.close()


def test_indexes_that_nobody_opens_are_deleted(
    root: Path, folder: IndexFolder, tmp_path: Path
) -> None:
    gone, old, young = (tmp_path / name for name in ("gone", "old", "young"))
    folders = []
    for workspace in (gone, old, young):
        workspace.mkdir()
        other = index_folder(tmp_path / "home", workspace)
        build(workspace, other)
        folders.append(other.path)
    gone.rmdir()
    os.utime(folders[1] / "workspace.json", (0, 0))
    build(root, folder)
    assert [path.exists() for path in (*folders, folder.path)] == [False, False, True, True]


def test_huge_minified_and_binary_files_are_left_out(root: Path, folder: IndexFolder) -> None:
    (root / "huge.py").write_text("x = 1\n" * MAX_BYTES)
    (root / "min.js").write_text("function only_minified(){};" * 2000)
    (root / "binary.py").write_bytes(b"def in_binary():\0\n")
    build(root, folder)
    assert symbols(folder, "only_minified", "in_binary") == []
    assert is_minified("a" * 6000)
    assert not is_minified("short\n" * 6000)
