"""One name for a repository, however its remote is spelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from glm_context.git_remote import identity_of, local_name, normal_remote


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://GitHub.com/me/code.git", "github.com/me/code"),
        ("https://me:token@github.com/me/code", "github.com/me/code"),
        ("git@github.com:me/code.git", "github.com/me/code"),
        ("ssh://git@github.com:22/me/code.git/", "github.com/me/code"),
        ("file:///srv/code.git", "/srv/code"),
        ("/srv/code.git", "/srv/code"),
        ("", ""),
    ],
)
def test_spellings(url: str, name: str) -> None:
    assert normal_remote(url) == name


def test_origin_before_others_and_a_hash_without_any(tmp_path: Path) -> None:
    assert identity_of(tmp_path) == local_name(tmp_path)
    assert str(tmp_path) not in local_name(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(
        '[core]\n\tbare = false\n[remote "other"]\n\turl = https://x.org/a/b\n'
        '[remote "origin"]\n\turl = git@y.org:c/d.git\n\tfetch = +refs/*\n'
    )
    assert identity_of(tmp_path) == "y.org/c/d"


def test_a_worktree_is_its_repository(tmp_path: Path) -> None:
    main, tree = tmp_path / "main" / ".git", tmp_path / "tree"
    (main / "worktrees" / "tree").mkdir(parents=True)
    tree.mkdir()
    (main / "config").write_text('[remote "origin"]\n\turl = https://z.org/e/f.git\n')
    (main / "worktrees" / "tree" / "commondir").write_text("../..\n")
    (tree / ".git").write_text(f"gitdir: {main / 'worktrees' / 'tree'}\n")
    assert identity_of(tree) == "z.org/e/f"


@pytest.mark.parametrize("text", ["\0" * 100, "[remote", "gitdir: /no/such", "url = x"])
def test_nonsense_is_no_remote(tmp_path: Path, text: str) -> None:
    (tmp_path / ".git").write_text(text)
    assert identity_of(tmp_path) == local_name(tmp_path)
