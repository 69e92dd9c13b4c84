"""Ignore files, compared with git itself, and the walk that honours them."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from glm_context.ignore_rules import parse_patterns
from glm_context.workspace_files import WorkspaceFiles

NAMES = ["a", "b", "ab", "a.py", "b.py", "build", "x.log", "foo", "foo.py", "A", "d d", "[x]", "é"]
PATTERNS = [
    *("*.py", "!a.py", "/a", "a/", "build/", "**/foo", "foo/**", "a/**/b", "*", "!*/", "!*.py"),
    *(
        "a*b",
        "?",
        "[ab]",
        "[!a]*",
        "/build/*",
        "!/build/keep",
        "\\!a",
        "#x",
        "b.py ",
        "d\\ d",
        "**",
    ),
    *(
        "a/b",
        "/**/a.py",
        "x.*",
        "!x.log",
        "[a-f]oo",
        "f[[:alpha:]]o",
        "*.[pl]*",
        "é",
        "\\[x\\]",
        "a/*",
    ),
]


def verdict(patterns: str, path: str, *, folder: bool = False) -> bool | None:
    return parse_patterns(patterns).verdict(path.split("/"), is_folder=folder)


def test_the_last_pattern_that_fits_decides() -> None:
    assert verdict("*.py\n!a.py", "x/a.py") is False
    assert verdict("!a.py\n*.py", "x/a.py") is True
    assert verdict("*.py", "x/a.txt") is None


@pytest.mark.skipif(shutil.which("git") is None, reason="compares with git")
def test_the_walk_finds_what_git_does_not_ignore(tmp_path: Path) -> None:
    """Random trees and ignore files; every path judged by git and by us."""
    rng = random.Random(5)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    judged = 0
    for number in range(25):
        root = tmp_path / f"r{number}"
        root.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=root, env=environ, check=True)
        folders = [root]
        for _ in range(8):
            folder = rng.choice(folders) / rng.choice(NAMES)
            if not folder.exists():
                folder.mkdir()
                folders.append(folder)
        for folder in folders:
            for _ in range(4):
                file = folder / f"{rng.choice(NAMES)}.py"
                if not file.exists():
                    file.write_text("x = 1\n")
            if folder == root or rng.random() < 0.3:
                lines = rng.choices(PATTERNS, k=rng.randrange(1, 6))
                (folder / ".gitignore").write_text("\n".join(lines) + "\n")
        ours = {found.path for found in WorkspaceFiles(root).walk()}
        asked = subprocess.run(
            ["git", "ls-files", "-z", "--others", "--exclude-standard"],
            cwd=root,
            env=environ,
            capture_output=True,
            check=True,
        )
        theirs = {os.fsdecode(name) for name in asked.stdout.split(b"\0") if name}
        theirs = {path for path in theirs if path.endswith(".py")}
        assert ours == theirs, [f.read_text() for f in root.rglob(".gitignore")]
        judged += len(theirs)
        for path in ours:
            assert WorkspaceFiles(root).find(path) is not None
        for file in root.rglob("*.py"):
            path = file.relative_to(root).as_posix()
            if path not in ours:
                assert WorkspaceFiles(root).find(path) is None
    assert judged > 100


@pytest.mark.parametrize("kind", [".gitignore", ".glmignore", ".aiignore", ".cursorignore"])
def test_every_kind_of_ignore_file_counts(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.py").write_text("x")
    (tmp_path / "b.py").write_text("x")
    (tmp_path / kind).write_text("b.py\n")
    assert [found.path for found in WorkspaceFiles(tmp_path).walk()] == ["a.py"]


def test_one_kind_cannot_take_back_what_another_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text("x")
    (tmp_path / ".glmignore").write_text("b.py\n")
    (tmp_path / ".gitignore").write_text("!b.py\n")
    assert list(WorkspaceFiles(tmp_path).walk()) == []


def test_excludes_of_the_settings_count(tmp_path: Path) -> None:
    (tmp_path / "gen").mkdir()
    (tmp_path / "gen" / "b.py").write_text("x")
    assert list(WorkspaceFiles(tmp_path, ["gen/"]).walk()) == []
    assert WorkspaceFiles(tmp_path, ["gen/"]).find("gen/b.py") is None


def test_a_pattern_cannot_take_exponential_time() -> None:
    patterns = "*a" * 200 + "b\n" + "/".join(["**", "a"] * 100)
    assert not parse_patterns(patterns).verdict(["a" * 200] * 30, is_folder=False)


def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("SECRET = 1")
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "real" / "a.py").write_text("x = 1")
    (root / "link.py").symlink_to(outside / "secret.py")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "fifo.py")
    files = WorkspaceFiles(root)
    assert [found.path for found in files.walk()] == ["real/a.py"]
    for path in (
        "link.py",
        "folder/secret.py",
        "loop/real/a.py",
        "fifo.py",
        "../outside/secret.py",
    ):
        assert files.find(path) is None
        assert files.read(path) is None


def test_ignored_files_are_never_opened(tmp_path: Path) -> None:
    """Unreadable once opened would be enough to tell: the access time of a file tells as well."""
    (tmp_path / ".gitignore").write_text("private\n*.log.py\n")
    for name in ("private/a.py", "x.log.py", ".env", "id_rsa"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("x = 1\n")
    opened: list[str] = []
    real_open = os.open

    def spy(path: str, *args: object, **more: object) -> int:
        opened.append(os.fspath(path))
        return real_open(path, *args, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", spy)
        files = WorkspaceFiles(tmp_path)
        for found in files.walk():
            files.read(found.path)
        assert files.find("private/a.py") is None
        assert files.find(".env") is None
    names = {Path(name).name for name in opened}
    assert ".gitignore" in names
    assert not names & {"private", "a.py", "x.log.py", ".env", "id_rsa"}
